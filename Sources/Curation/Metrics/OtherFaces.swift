import Dataset

/// Whether others are seen beside the face.
enum OtherFaces: MetricComparer {
    static let metrics: [Metric] = [.otherFaces]
    static let version = 1

    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?] {
        let frames = faces[index].frames
        // One after another, or several at once: each picture counts once.
        var shared = 0
        var end = frames.lowerBound
        let together = comparable(to: index, among: faces).map(\.common)
        for range in together.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            shared += max(0, range.upperBound - max(end, range.lowerBound))
            end = max(end, range.upperBound)
        }
        return [.otherFaces: Double(shared) / Double(max(1, frames.count))]
    }

    /// The other faces that are seen together with one, and the frames that they share. Faces less than
    /// half as tall are the background's.
    static func comparable(
        to index: Int, among faces: [SeenFace]
    ) -> [(common: Range<Int>, metrics: Metrics)] {
        let (frames, own) = faces[index]
        let height = own[.faceHeight] ?? 0
        return faces.indices.compactMap { other in
            let common = frames.clamped(to: faces[other].frames)
            let metrics = faces[other].metrics
            guard other != index, !common.isEmpty, (metrics[.faceHeight] ?? 0) >= height / 2
            else { return nil }
            return (common, metrics)
        }
    }
}

extension Metric {
    public static let otherFaces = Metric(
        "other_faces", .anew,
        "The share of pictures with another face at least half as tall.")
}
