import Dataset
import Perception

/// A candidate as the rules see it: one measured in one stretch, or several that one face joins
/// across the borders of stretches.
package struct StitchedCandidate {
    package struct Part {
        package let candidate: Candidate
        /// The index of its unit in the plan; the unit's tracks archive holds the candidate.
        let unit: Int

        package init(candidate: Candidate, unit: Int) {
            self.candidate = candidate
            self.unit = unit
        }
    }

    package private(set) var parts: [Part]
    /// The metrics of all parts together.
    package var metrics: Metrics
    /// How likely each offset of the sound is, over all parts (`Candidate.syncCurve`).
    package private(set) var syncCurve: [Double]?

    var first: Candidate { parts[0].candidate }
    package var frames: Range<Int> { first.start..<parts[parts.count - 1].candidate.end }

    init(_ part: Part) {
        parts = [part]
        metrics = part.candidate.metrics
        syncCurve = part.candidate.syncCurve
    }

    /// True when `next` begins where this ends, with the same face in the same part of the picture.
    func continues(with next: Candidate) -> Bool {
        let last = parts[parts.count - 1].candidate
        guard last.closesAtBorder, next.opensAtBorder, last.source == next.source,
            last.end == next.start, (last.width, last.height) == (next.width, next.height),
            last.lastBox.count == 4, next.firstBox.count == 4
        else { return false }
        func box(_ v: [Double]) -> Box { Box(left: v[0], top: v[1], right: v[2], bottom: v[3]) }
        return box(last.lastBox).overlap(box(next.firstBox)) > 0.5
    }

    /// The share of the boxes in which parts were seen first and last whose centre is in an annotated
    /// box.
    func share(in annotated: [Double]) -> Double {
        let boxes = parts.flatMap { [$0.candidate.firstBox, $0.candidate.lastBox] }
            .filter { $0.count == 4 }
        let inside = boxes.count { box in
            let (x, y) = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            return annotated[0] <= x && x <= annotated[2] && annotated[1] <= y
                && y <= annotated[3]
        }
        return Double(inside) / Double(max(1, boxes.count))
    }

    /// - Parameter networks: the metrics of networks that the user named.
    mutating func append(_ part: Part, networks: [Metric] = []) {
        // What the parts say of the offset is said of one face and one sound track: each as long as it heard.
        let former = metrics[.syncSeconds] ?? 0, own = part.candidate.metrics[.syncSeconds] ?? 0
        if let curve = part.candidate.syncCurve {
            syncCurve = zip(syncCurve ?? curve, curve).map {
                ($0 * former + $1 * own) / max(former + own, 1e-9)
            }
        }
        parts.append(part)
        metrics = metrics.merged(with: part.candidate.metrics, networks: networks)
        guard let syncCurve else { return }
        let score = MouthSyncScore(curve: syncCurve, seconds: metrics[.syncSeconds] ?? 0)
        (metrics[.syncConfidence], metrics[.syncOffset]) = (score.confidence, score.offset)
    }
}

/// Joins the candidates of one source, given in order of their starts.
///
/// - Parameter networks: the metrics of networks that the user named.
package func stitched(
    _ parts: [StitchedCandidate.Part], networks: [Metric] = []
) -> [StitchedCandidate] {
    var result: [StitchedCandidate] = []
    for part in parts {
        if part.candidate.opensAtBorder,
            let index = result.lastIndex(where: { $0.continues(with: part.candidate) })
        {
            result[index].append(part, networks: networks)
        } else {
            result.append(StitchedCandidate(part))
        }
    }
    return result
}
