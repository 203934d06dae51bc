import Dataset
import Foundation

/// Which clips show footage that other clips show too: of each group one is kept.
///
/// Clips are looked at in the order in which they are worth keeping. One of which half or more is seen in clips
/// that were kept before it is a copy.
package struct Duplicates {
    /// A clip that was accepted: a span of a candidate.
    package struct Clip {
        package let key: String
        /// The candidate's number in the library.
        let candidate: Int
        /// The frames of the candidate, from its first.
        let frames: Range<Int>
        /// What makes it worth keeping.
        let worth: Worth

        package init(key: String, candidate: Int, frames: Range<Int>, worth: Worth) {
            (self.key, self.candidate) = (key, candidate)
            (self.frames, self.worth) = (frames, worth)
        }
    }

    /// The clip that a copy repeats, and the share of the copy that kept clips show.
    package struct Copy: Equatable {
        package let original: String
        package let share: Double
    }

    /// The order in which clips are worth keeping: larger faces, longer clips, finer detail; and where all
    /// these are alike, the smaller key, so that the same clips are kept whatever order they come in.
    ///
    /// Sizes and lengths that differ by less than a fifth or so are alike: a copy at another rate of pictures
    /// measures a little larger.
    package struct Worth: Comparable {
        let faceSize: Int
        let length: Int
        let detail: Double
        let key: String

        package init(faceHeight: Double, frames: Int, detail: Double, key: String) {
            faceSize = Self.step(faceHeight)
            length = Self.step(Double(frames))
            (self.detail, self.key) = (detail, key)
        }

        /// - Parameter metrics: of the clip's candidate.
        init(_ metrics: Metrics, frames: Int, key: String) {
            self.init(
                faceHeight: metrics[.faceHeight] ?? 0, frames: frames,
                detail: Self.detail(metrics), key: key)
        }

        /// The sharpness, less what is not of the scene: borders of blocks are sharp as well, and the copy with
        /// the fewest bits has the most of them. Good video has a blockiness of 0.1.
        private static func detail(_ metrics: Metrics) -> Double {
            (metrics[.sharpness] ?? 0) * exp(-2 * max(0, (metrics[.blockiness] ?? 0) - 0.1))
        }

        /// The nearest power of 1.2.
        private static func step(_ value: Double) -> Int {
            Int((log(max(1, value)) / log(1.2)).rounded())
        }

        /// More worth comes first.
        package static func < (a: Worth, b: Worth) -> Bool {
            (b.faceSize, b.length, b.detail, a.key) < (a.faceSize, a.length, a.detail, b.key)
        }
    }

    /// The share of a clip that must be seen in others to make it a copy.
    package static let leastShare = 0.5

    /// The copies by their keys.
    package private(set) var copies: [String: Copy] = [:]
    /// The candidates that share footage, in pairs.
    package let pairs: [(Int, Int)]

    /// - Throws: `LoopyError` where there are too many candidates.
    package init(of clips: [Clip], in library: FootageLibrary) throws {
        var relations = try FootageRelations(in: library)
        pairs = relations.pairs
        guard !pairs.isEmpty else { return }

        var kept: [Int: [Clip]] = [:]
        var known: Set<Int> = []
        for clip in clips.sorted(by: { $0.worth < $1.worth })
        where relations.neighbours[clip.candidate] != nil {
            if let copy = Self.copy(clip, of: kept, relations) {
                copies[clip.key] = copy
                continue
            }
            kept[clip.candidate, default: []].append(clip)
            // Each must be known to share footage with the one that is kept.
            if known.insert(clip.candidate).inserted {
                relations.addDistantNeighbours(of: clip.candidate)
            }
        }
    }

    private static func copy(
        _ clip: Clip, of kept: [Int: [Clip]], _ relations: FootageRelations
    ) -> Copy? {
        var isSeen = [Bool](repeating: false, count: clip.frames.count)
        var most: (frames: Int, key: String)?
        for (other, match) in relations.neighbours[clip.candidate] ?? [] {
            for original in kept[other] ?? [] {
                let common = match.common(of: clip.frames, with: original.frames)
                for frame in common { isSeen[frame - clip.frames.lowerBound] = true }
                if common.count > 0,
                    (common.count, original.key) > (most?.frames ?? 0, most?.key ?? "")
                {
                    most = (common.count, original.key)
                }
            }
        }
        let share = Double(isSeen.count { $0 }) / Double(max(1, clip.frames.count))
        guard let most, share >= leastShare else { return nil }
        return Copy(original: most.key, share: share)
    }
}
