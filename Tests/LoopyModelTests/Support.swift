import Foundation
import LoopyModel
import Testing
import Torch
import Weights

func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/" + name).path
}

/// Of the difference to what is expected, in the Euclidean norm.
func relativeError(_ x: Tensor, _ expected: Tensor) -> Double {
    guard x.shape == expected.shape else { return .infinity }
    return (x - expected).norm().scalar / max(expected.norm().scalar, 1e-12)
}

/// What the PyTorch reference computed of a small model: Fixtures/make_fixtures.py.
struct Reference {
    let configuration: LoopyConfiguration
    let cases: [String: Case]
    let losses: [String: Double]
    let layers: [String]
    private let tensors: Checkpoint

    struct Case: Decodable {
        struct Masks: Decodable {
            var audio: [Bool], motionLatents: [Bool], reference: [Bool], motionFrames: [Bool]
        }

        var motion: Bool
        var presence: [[Bool]]
        var motionSource: [Int]
        var masks: Masks
    }

    init() throws {
        configuration = Self.small
        struct File: Decodable {
            var layers: [String]
            var losses: [String: Double]
            var cases: [String: Case]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let file = try decoder.decode(
            File.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("cases.json"))))
        // The strategy converts the keys of dictionaries too.
        cases = Dictionary(
            uniqueKeysWithValues: file.cases.map { key, value in
                (
                    key.reduce(into: "") {
                        $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1)
                    }, value
                )
            })
        losses = file.losses
        layers = file.layers
        tensors = try Checkpoint(fixture("cases.safetensors"))
    }

    /// As in config.json.
    static var small: LoopyConfiguration {
        var small = LoopyConfiguration.tiny
        small.latentChannels = 4
        small.channels = [8, 12]
        small.attention = [true, false]
        small.heads = 2
        small.normGroups = 4
        small.frames = 3
        small.segments.stride = 2
        small.segments.motionFrames = 6
        small.speechLayers = 2
        small.speechChannels = 6
        small.audioWidth = 12
        small.motionLatents.embeddings = 5
        small.motionLatents.width = 16
        small.motionLatents.heads = 2
        return small
    }

    func callAsFunction(_ name: String) throws -> Tensor {
        let found = find(name)
        return try #require(found, "there is no tensor \(name)")
    }

    func find(_ name: String) -> Tensor? { tensors.tensor(name).map { Tensor($0) } }

    /// The model with the reference's weights, and where they are.
    func model(
        recording: Bool = false
    ) throws -> (model: LoopyNet, store: ParameterStore) {
        let store = ParameterStore(drawing: try Generator(seed: 0))
        let model = try LoopyNet(store.root, configuration)
        let covered = try store.assign(Checkpoint(fixture("model.safetensors")))
        #expect(covered == Set(store.names))
        if recording { store.requireGradients() }
        return (model, store)
    }

    var latents: Tensor { get throws { try self("inputs.latents") } }

    var timesteps: Tensor { get throws { try self("inputs.timesteps") } }

    func conditions(_ name: String) throws -> Conditions {
        let given = try #require(cases[name])
        var conditions = Conditions(
            reference: try self("inputs.reference"), speech: try self("inputs.speech"))
        if given.motion {
            conditions.motionFrames = Conditions.MotionFrames(
                latents: try self("inputs.motion"), isPresent: given.presence)
        }
        conditions.movement = Conditions.FacialMovement(
            landmarks: try self("inputs.landmarks"), headMotion: try self("inputs.head_variance"),
            expression: try self("inputs.expression_variance"))
        conditions.motionSources = given.motionSource.map { MotionSource.allCases[$0] }
        for sample in conditions.masks.indices {
            conditions.masks[sample].audio = given.masks.audio[sample]
            conditions.masks[sample].motionLatents = given.masks.motionLatents[sample]
            conditions.masks[sample].reference = given.masks.reference[sample]
            conditions.masks[sample].motionFrames = given.masks.motionFrames[sample]
        }
        return conditions
    }
}

extension Conditions {
    /// One sample of them, alone.
    func alone(_ sample: Int) -> Conditions {
        let range = sample..<(sample + 1)
        var alone = Conditions(reference: reference[range], speech: speech?[range])
        alone.motionFrames = motionFrames.map {
            MotionFrames(latents: $0.latents[range], isPresent: [$0.isPresent[sample]])
        }
        alone.movement = movement.map {
            FacialMovement(
                landmarks: $0.landmarks[range], headMotion: $0.headMotion[range],
                expression: $0.expression[range])
        }
        alone.motionSources = [motionSources[sample]]
        alone.masks = [masks[sample]]
        return alone
    }
}

extension LoopyNet {
    /// Guidance by the paper's formula, with its ratios: each of its three states in a pass of its own, masked as
    /// in training.
    func guided(_ latents: Tensor, timestep: Int64, _ conditions: Conditions) -> Tensor {
        func pass(audio: Bool, reference: Bool) -> Tensor {
            var changed = conditions
            for sample in changed.masks.indices {
                changed.masks[sample].audio = !audio
                changed.masks[sample].reference = !reference
            }
            let timesteps = Tensor([Int64](repeating: timestep, count: latents.length(0)))
            return withoutGradient { self(latents, timesteps, changed) }
        }
        let silent = pass(audio: false, reference: true)
        let base = pass(audio: false, reference: false)
        return (pass(audio: true, reference: true) - silent) * 5.0 + (silent - base) * 3.0 + base
    }
}
