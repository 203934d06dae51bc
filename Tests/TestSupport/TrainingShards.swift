import Dataset
import Foundation
import Storage

/// Writes shards of a small dataset that a very small model can be trained on: `[T, 4, 8, 8]` latents, three
/// clips to train on and one to validate.
public func writeTrainingShards(_ folder: String) throws {
    for (split, clips) in [("train", 3), ("val", 1)] {
        try writeTrainingShard(
            folder + "/shards/\(split)-00000.tar", (0..<clips).map { (split, $0) })
    }
    try writeCatalogue(folder, side: 200)
}

/// Writes one of them: each clip is 15 frames longer than that of the number before.
///
/// - Parameters:
///   - latents: the shape of a frame's latents.
///   - speech: layers and channels of a frame's speech features.
public func writeTrainingShard(
    _ path: String, _ clips: [(split: String, number: Int)], latents: [Int] = [4, 8, 8],
    speech: [Int] = [2, 6]
) throws {
    let file = try OutputFile(path)
    let writer = TarWriter(file)
    for (split, clip) in clips {
        let frames = 20 + 15 * clip
        func array(_ shape: [Int], _ rows: Int, _ scale: Float) -> [UInt8] {
            let size = shape.reduce(rows, *)
            let values = (0..<size).map { index in
                scale * sin(Float(index % 911) * 0.37 + Float(clip) + Float(index / 1024))
            }
            return NumPyArray(shape: [rows] + shape, values: values).encoded()
        }
        let variances = NumPyArray(
            shape: [frames - 11, 2],
            values: (0..<(2 * (frames - 11))).map { Float($0) * 1e-6 })
        let members = [
            ("latents.npy", array(latents, frames, 1)),
            ("speech.npy", array(speech, frames, 2)),
            ("keypoints.npy", array([68, 3], frames, 100)),
            ("motion.npy", variances.encoded()),
        ]
        for (name, bytes) in members { try writer.add("\(split)\(clip).\(name)", bytes) }
    }
    try writer.finish()
    try file.commit()
}
