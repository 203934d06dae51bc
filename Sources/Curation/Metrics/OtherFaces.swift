import Dataset

/// Whether others are seen beside the face.
enum OtherFaces: MetricComparer {
    static let metrics: [Metric] = [.otherFaces]
    static let version = 2

    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?] {
        let shared = comparable(to: index, among: faces).reduce(0) { $0 + $1.common.count }
        return [.otherFaces: Double(shared) / Double(max(1, faces[index].frames.count))]
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
    // Not a share of time: who speaks beside one that listens is a good speaker, and has 1 all the time. More
    // than three on average are a crowd, in which crops show others and whose sound it is can hardly be told.
    public static let otherFaces = Metric(
        "other_faces", unit: "faces", .anew, limits: Limits(maximum: 3),
        "The mean number of other faces at least half as tall that are seen at the same time.")
}
