import Diffusion
import Generation
import LoopyModel
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Training

/// What a clip sees of the frames before it is the same when it is generated and when it was trained on.
@Suite struct HistoryTests {
    private static let clips = 13
    private static let frames = 12 * clips

    /// A latent of frame f is f + 1 everywhere, so that zeros are no frame.
    private static func marker(_ frame: Int) -> Float { Float(frame + 1) }

    private static func markers(_ frames: Range<Int>) -> Tensor {
        Tensor(
            frames.flatMap { Array(repeating: marker($0), count: 4 * 2 * 2) },
            shape: [frames.count, 4, 2, 2])
    }

    private static func configuration(
        _ abstraction: TemporalSegments.Abstraction
    ) -> LoopyConfiguration {
        var small = LoopyConfiguration.tiny
        small.latentChannels = 4
        small.channels = [8, 16]
        small.attention = [true, true]
        small.normGroups = 4
        small.speechLayers = 2
        small.speechChannels = 3
        small.audioWidth = 8
        small.motionLatents.width = 8
        small.motionLatents.heads = 2
        small.segments.abstraction = abstraction
        return small
    }

    /// The conditions of training windows that begin at some frames, by these.
    private func trained(_ starts: Set<Int>, _ model: LoopyConfiguration) throws -> [Int:
        Conditions]
    {
        try withFolder { folder in
            let file = try OutputFile(folder + "/shards/train-00000.tar")
            let writer = TarWriter(file)
            let count = Self.frames
            func array(_ shape: [Int], _ values: [Float]) -> [UInt8] {
                NumPyArray(shape: shape, values: values).encoded()
            }
            func zeros(_ shape: [Int]) -> [UInt8] {
                array(shape, Array(repeating: 0, count: shape.reduce(1, *)))
            }
            let latents = Self.markers(0..<count)
            try writer.add("clip.latents.npy", array(latents.shape, latents.array()))
            try writer.add("clip.speech.npy", zeros([count, 2, 3]))
            try writer.add("clip.keypoints.npy", zeros([count, 68, 3]))
            try writer.add("clip.motion.npy", zeros([count - 11, 2]))
            try writer.finish()
            try file.commit()
            try writeCatalogue(folder, side: 64)

            var settings = TrainingSettings()
            settings.model = model
            var windows = WindowSettings()
            windows.motionFrames = model.segments.motionFrames
            (windows.windowsPerClip, windows.shuffle) = (64, 64)
            let stream = try WindowStream(
                shards: WindowStream.shards(in: folder + "/shards", split: "train"),
                settings: windows)
            var found: [Int: Conditions] = [:]
            for number in 0..<5000 where found.count < starts.count {
                let window = try stream.next()
                guard starts.contains(window.start), found[window.start] == nil else { continue }
                found[window.start] =
                    try TrainingBatch([window], first: number, settings: settings, device: .cpu)
                    .conditions
            }
            return found
        }
    }

    /// The 11th clip has 120 frames before it, the 12th the 124 that a clip sees and more.
    @Test(arguments: [TemporalSegments.Abstraction.uniform, .mean])
    func theSamplersHistoryIsATrainingWindows(abstraction: TemporalSegments.Abstraction) throws {
        let configuration = Self.configuration(abstraction)
        let store = ParameterStore(drawing: try Generator(seed: 0))
        var sampler = try VideoSampler(
            LoopyNet(store.root, configuration), NoiseSchedule(.init()), GenerationSettings(),
            reference: .zeros([1, 4, 2, 2]))
        var generated: [Conditions] = []
        for clip in 0..<Self.clips {
            generated.append(
                sampler.conditions(
                    speech: .zeros([12, 5, 2, 3]), generator: try Generator(seed: 0)))
            sampler.append(Self.markers(12 * clip..<12 * clip + 12))
        }

        let numbers = [1, 2, 11, 12, 13]
        let windows = try trained(Set(numbers.map { 12 * ($0 - 1) }), configuration)
        for number in numbers {
            let window = try #require(windows[12 * (number - 1)]?.motionFrames)
            let clip = try #require(generated[number - 1].motionFrames)
            #expect(clip.isPresent == window.isPresent, "clip \(number)")
            #expect(clip.latents.isEqual(to: window.latents), "clip \(number)")
            let nearest = Array(clip.latents[0, .all, 0, 0, 0].array(of: Float.self).reversed())
            switch number {
            case 1:
                #expect(clip.isPresent[0].allSatisfy { !$0 })
                #expect(nearest.allSatisfy { $0 == 0 })
            case 2:
                // Twelve frames give their last four, and four of the eight before.
                let before = Self.marker(11)
                #expect(nearest.prefix(4) == [before, before - 1, before - 2, before - 3])
                #expect(clip.isPresent[0].reversed() == (0..<20).map { $0 < 8 })
            default:
                #expect(nearest[0] == Self.marker(12 * (number - 1) - 1))
                #expect(clip.isPresent[0].allSatisfy { $0 })
            }
        }
    }

    /// As if the person had not moved before the video begins.
    @Test func aVideoMayStartFromThePortrait() throws {
        let configuration = Self.configuration(.uniform)
        let store = ParameterStore(drawing: try Generator(seed: 0))
        var settings = GenerationSettings()
        settings.startsFromPortrait = true
        let portrait = Tensor.normal([1, 4, 2, 2], generator: try Generator(seed: 1))
        var sampler = try VideoSampler(
            LoopyNet(store.root, configuration), NoiseSchedule(.init()), settings,
            reference: portrait)
        func motionFrames() throws -> Conditions.MotionFrames {
            let speech = Tensor.zeros([12, 5, 2, 3])
            return try #require(
                sampler.conditions(speech: speech, generator: try Generator(seed: 0)).motionFrames)
        }
        let first = try motionFrames()
        #expect(first.isPresent[0].allSatisfy { $0 })
        for number in 0..<configuration.motionFrames {
            #expect(first.latents[0, number].isEqual(to: portrait[0]))
        }
        sampler.append(Self.markers(0..<12))
        let second = try motionFrames().latents[0]
        let last = configuration.motionFrames - 1
        #expect(second[last, 0, 0, 0].scalar == Double(Self.marker(11)))
        #expect(second[0].isEqual(to: portrait[0]))
    }
}
