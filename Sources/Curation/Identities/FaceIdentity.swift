import Perception
import Storage

/// Who a candidate's face is: the sum of the embeddings of pictures that show it well.
struct FaceIdentity: Sendable {
    /// `[D]`
    let sum: [Float]

    /// The frames of the source from one picture that is looked at to the next: a second.
    static let step = 25
    /// Degrees: networks know faces from the front best.
    private static let largestAngle = 30.0

    static func isFrontal(_ pose: HeadPose) -> Bool {
        max(abs(pose.yaw), abs(pose.pitch), abs(pose.roll)) <= largestAngle
    }

    /// float32 `[pictures, D]`
    static let member = ".identity.npy"

    static func write(_ embeddings: [[Float]], of name: String, to archive: TarWriter) throws {
        let array = NumPyArray(
            shape: [embeddings.count, embeddings.first?.count ?? 0],
            values: embeddings.flatMap { $0 })
        try archive.add(name + member, array.encoded())
    }

    /// - Parameter parts: `[pictures, D]` of each stretch of a candidate.
    /// - Returns: nil where there is no picture.
    init?(joining parts: [NumPyArray]) {
        let rows = parts.flatMap { part in
            (0..<part.shape[0]).map { row in
                part.values[(row * part.shape[1])..<((row + 1) * part.shape[1])]
            }
        }
        guard let first = rows.first else { return nil }
        sum = rows.dropFirst().reduce(Array(first)) { zip($0, $1).map(+) }
    }
}
