import Torch

/// The shape of a mouth, whatever the head's position and size: what speech tells of a face.
enum MouthShape {
    /// Coordinates of the 20 points of the mouth.
    static let length = 40

    /// - Parameter landmarks: iBUG 68 key points, `[B, F, 68, 2]`.
    /// - Returns: `[B, F, 40]`: the mouth's points, from their middle, in tenths of the distance of the outer
    ///   corners of the eyes.
    static func of(_ landmarks: Tensor) -> Tensor {
        let mouth = landmarks[.all, .all, 48..<68]
        let eyes = landmarks[.all, .all, 45] - landmarks[.all, .all, 36]
        let unit = eyes.square().sum([2]).sqrt().clamped(1e-3).unsqueezed(2).unsqueezed(3) / 10.0
        return ((mouth - mouth.mean([2], keepDim: true)) / unit).flattened(from: 2)
    }
}
