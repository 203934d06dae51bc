import Dataset

/// Fills the metrics that compare each candidate of a source with those seen at the same time:
/// `otherFaces` and `speaker`.
///
/// Used on the candidates of a stretch when they are measured, and again on whole candidates when
/// those of several stretches have been joined.
package func comparedFaces(_ faces: [(frames: Range<Int>, metrics: Metrics)]) -> [Metrics] {
    faces.indices.map { index in
        let (frames, own) = faces[index]
        var result = own
        let height = own[.faceHeight] ?? 0
        let mouth = own[.mouthInSpeech]
        var together: [Range<Int>] = []
        var busiest = mouth ?? 0
        for other in faces.indices where other != index {
            let common = frames.clamped(to: faces[other].frames)
            let metrics = faces[other].metrics
            guard !common.isEmpty, (metrics[.faceHeight] ?? 0) >= height / 2 else { continue }
            together.append(common)
            // Faces that share less than half of this one's time say little about who speaks.
            if common.count * 2 >= frames.count {
                busiest = max(busiest, metrics[.mouthInSpeech] ?? 0)
            }
        }
        // One after another, or several at once: each picture counts once.
        var shared = 0
        var end = frames.lowerBound
        for range in together.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            shared += max(0, range.upperBound - max(end, range.lowerBound))
            end = max(end, range.upperBound)
        }
        result[.otherFaces] = Double(shared) / Double(max(1, frames.count))
        result[.speaker] = mouth.flatMap { busiest > 0 ? $0 / busiest : nil }
        return result
    }
}
