import Diffusion
import LoopyModel
import Torch

/// The model `tiny` with random weights, and a clip with all its conditions.
private struct TinyModel {
    let store: ParameterStore
    let model: LoopyNet
    let clip: Tensor
    let target: Tensor
    var conditions: Conditions

    init() throws {
        let configuration = LoopyConfiguration.tiny
        let generator = try Generator(seed: 0)
        store = ParameterStore(drawing: generator)
        model = try LoopyNet(store.root, configuration)
        let frames = configuration.frames, motion = configuration.motionFrames
        func latents(_ shape: Int...) -> Tensor {
            .normal(shape + [configuration.latentChannels, 32, 32], generator: generator)
        }
        clip = latents(1, frames)
        target = latents(1, frames)
        conditions = Conditions(
            reference: latents(1),
            motionFrames: .init(
                latents: latents(1, motion),
                isPresent: [Array(repeating: true, count: motion)]),
            speech: .normal(
                [1, frames, 5, configuration.speechLayers, configuration.speechChannels],
                generator: generator))
        conditions.movement = .init(
            landmarks: .uniform([1, frames, 68, 2], generator: generator),
            headMotion: Tensor([Float(1e-4)]), expression: Tensor([Float(1e-5)]))
    }
}

/// The median of some runs in seconds, without the first.
private func median(runs: Int, _ body: () throws -> Void) rethrows -> Double {
    var seconds: [Double] = []
    for _ in 0...runs {
        let start = ContinuousClock.now
        try body()
        seconds.append((ContinuousClock.now - start) / .seconds(1))
    }
    return seconds.dropFirst().sorted()[runs / 2]
}

/// What loopy_model.py does, by Loopy: seconds without gradients, or of the loss and the gradient of
/// every parameter.
func benchmarkModel(step: Bool, gradientCheckpointing: Bool) throws -> Double {
    let tiny = try TinyModel()
    let timesteps = Tensor([Float(500)])
    if step { tiny.store.requireGradients() }
    return median(runs: 5) {
        if step {
            for (_, weight) in tiny.store.parameters { weight.gradient = nil }
            let prediction = tiny.model(
                tiny.clip, timesteps, tiny.conditions, gradientCheckpointing: gradientCheckpointing)
            mseLoss(prediction, tiny.target).backward()
        } else {
            _ = withoutGradient { tiny.model(tiny.clip, timesteps, tiny.conditions) }
        }
    }
}

/// How a clip is sampled.
enum SamplingOrder: String {
    case apart, together
    /// As published code does it: every pass of every step runs the reference net again.
    case published
}

/// Seconds a frame of sampling one clip in ten steps.
func benchmarkSampling(_ order: SamplingOrder) throws -> Double {
    let tiny = try TinyModel()
    let solver = try Solver(NoiseSchedule(), numInferenceSteps: 10)
    let guidance = Guidance()
    let generator = try Generator(seed: 1)
    let seconds = median(runs: 3) {
        withoutGradient {
            guard order == .published else {
                _ = GuidedModel(
                    tiny.model, tiny.conditions, guidance, together: order == .together
                ).sample(tiny.clip, solver, generator: generator)
                return
            }
            var path = solver.begin(tiny.clip)
            while let timestep = path.timestep {
                func pass(audio: Bool, reference: Bool) -> Tensor {
                    var conditions = tiny.conditions
                    conditions.masks[0].audio = !audio
                    conditions.masks[0].reference = !reference
                    return tiny.model(path.latents, Tensor([Int64(timestep)]), conditions)
                }
                let all = pass(audio: true, reference: true)
                let silent = pass(audio: false, reference: true)
                let base = pass(audio: false, reference: false)
                let prediction =
                    (all - silent) * guidance.audioRatio
                    + (silent - base) * guidance.referenceRatio + base
                path.step(prediction: prediction)
            }
        }
    }
    return seconds / Double(tiny.clip.length(1))
}
