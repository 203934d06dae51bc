import Dataset
import Foundation
import LoopyModel
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Training

/// Calls `body` with a folder of its own, which is gone afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/loopy-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// A clip whose every number says where it stands.
struct TestClip {
    var key: String
    var frames: Int
    /// Added to its latents, so that clips differ.
    var offset: Float = 0
    /// What is not as it should be: other bytes, or nil for no member at all.
    var changes: [String: [UInt8]?] = [:]
    /// In this order.
    var names = ["keypoints.npy", "motion.npy", "speech.npy", "latents.npy", "json"]

    init(_ key: String, frames: Int = 12, offset: Float = 0) {
        (self.key, self.frames, self.offset) = (key, frames, offset)
    }

    /// `[T, 2, 2, 1]`, whole numbers that float16 holds.
    var latents: NumPyArray {
        numbers([2, 2, 1]) { frame, place in Float(frame) + 200 * Float(place) + offset }
    }

    /// `[T, 2, 3]`
    var speech: NumPyArray {
        numbers([2, 3]) { frame, place in Float(frame) - 200 * Float(place) }
    }

    /// `[T, 68, 3]`
    var keypoints: NumPyArray {
        numbers([68, 3]) { frame, place in Float(1000 * frame + place) }
    }

    /// `[T - 11, 2]`
    var motion: NumPyArray {
        let count = max(0, frames - 11)
        return NumPyArray(shape: [count, 2], values: (0..<(2 * count)).map { Float($0) / 7 })
    }

    private func numbers(_ shape: [Int], _ value: (Int, Int) -> Float) -> NumPyArray {
        let size = shape.reduce(1, *)
        return NumPyArray(
            shape: [frames] + shape,
            values: (0..<(frames * size)).map { value($0 / size, $0 % size) })
    }

    var members: [(name: String, bytes: [UInt8])] {
        let usual: [String: [UInt8]] = [
            "latents.npy": latents.encoded(as: .float16),
            "speech.npy": speech.encoded(as: .float16), "keypoints.npy": keypoints.encoded(),
            "motion.npy": motion.encoded(), "json": Array(#"{"frames": \#(frames)}"#.utf8),
        ]
        let others = changes.keys.filter { !names.contains($0) }.sorted()
        return (names + others).compactMap { name in
            let bytes = changes[name] ?? usual[name]
            return bytes.map { (key + "." + name, $0) }
        }
    }
}

/// Writes a dataset's folder: shards with these clips, and `dataset.json` that knows the crops' side.
///
/// - Returns: paths of the shards.
func makeShards(_ folder: String, side: Int? = 500, _ shards: [[TestClip]]) throws -> [String] {
    if let side { try writeCatalogue(folder, side: side) }
    for (number, clips) in shards.enumerated() {
        let file = try OutputFile(folder + "/shards/train-0000\(number).tar")
        let writer = TarWriter(file)
        for member in clips.flatMap(\.members) { try writer.add(member.name, member.bytes) }
        try writer.finish()
        try file.commit()
    }
    return try WindowStream.shards(in: folder + "/shards", split: "train")
}

/// Clips of different lengths in three shards.
func makeManyShards(_ folder: String) throws -> [String] {
    let clips = (0..<10).map {
        TestClip("clip\($0)", frames: 12 + 17 * $0, offset: $0 % 2 == 0 ? 0 : 1000)
    }
    return try makeShards(
        folder, [Array(clips[0..<4]), Array(clips[4..<5]), Array(clips[5...])])
}

/// Everything that a window holds.
struct Contents: Equatable {
    var name: String
    var shapes: [[Int]]
    var values: [[Float]]

    init(_ window: ClipWindow) {
        let tensors = [
            window.latents, window.history, window.reference, window.speech, window.landmarks,
        ]
        name = window.shard + " " + window.key + " \(window.start)"
        shapes = tensors.map(\.shape)
        values = tensors.map { $0.array() } + [[window.headMotion, window.expression]]
    }
}

func contents(_ stream: WindowStream, _ count: Int) throws -> [Contents] {
    try (0..<count).map { _ in Contents(try stream.next()) }
}

extension TrainingSettings {
    /// A very small model, for the shards of `writeTrainingShards`.
    static func forTests(_ stage: LoopyConfiguration.Stage = .video) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.preset = "tiny"
        settings.model = .tiny
        settings.model.stage = stage
        settings.model.latentChannels = 4
        settings.model.channels = [8, 16]
        settings.model.attention = [true, true]
        settings.model.normGroups = 4
        settings.model.speechLayers = 2
        settings.model.speechChannels = 6
        settings.model.audioWidth = 16
        settings.model.motionLatents.width = 16
        settings.model.motionLatents.heads = 2
        settings.steps = 6
        settings.precision = .float32
        settings.gradientCheckpointing = false
        settings.optimiser.learningRate = 1e-3
        settings.optimiser.warmupSteps = 2
        settings.data.shuffle = 8
        settings.logEvery = 1
        settings.checkpoints.every = 100
        settings.validation.windows = 1
        settings.validation.every = 3
        return settings
    }

    /// The same; a distilled model has a teacher, which is trained on the shards in the folder.
    static func forTests(
        _ stage: LoopyConfiguration.Stage, teacherIn folder: String
    ) throws -> TrainingSettings {
        var settings = forTests(stage)
        guard stage == .distilled else { return settings }
        var ofTeacher = forTests(.video)
        ofTeacher.validation.windows = 0
        let run = RunDirectory(folder + "/teacher")
        let trainer = try Trainer(
            ofTeacher, TrainingSource(folder + "/shards"), run, resuming: true)
        while !trainer.isFinished { try trainer.step() }
        settings.initialWeights.model = run.path
        settings.model.distilledSteps = 2
        (settings.distillation.guidanceSteps, settings.distillation.solverSteps) = (3, 4)
        return settings
    }
}
