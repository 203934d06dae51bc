import Foundation
import Media
import Torch

/// How well sound fits lips, as SyncNet sees it (github.com/joonson/syncnet_python,
/// SyncNetInstance.py).
public struct LipSyncScore: Codable, Sendable, Equatable {
    /// The frames by which the sound leads the lips: delaying the sound by as many mends it.
    public var offset: Int
    /// The median of the distances over all offsets, less the least one ("LSE-C").
    public var confidence: Double
    /// The least of the distances ("LSE-D").
    public var distance: Double
    /// The number of windows that were compared.
    public var windows: Int

    /// The greatest offset that is tried, to either side, in frames.
    public static let reach = 15

    /// Scores embeddings, each `[N, C]`, at 25 windows a second.
    ///
    /// - Returns: the score over all windows, the sound beyond the ends counting as zeros, as published; and
    ///   over those windows alone whose sound is there at every offset, nil where there is none:
    ///   zeros make short clips look worse than they are.
    public static func score(
        lips: Tensor, sound: Tensor
    ) -> (all: LipSyncScore, interior: LipSyncScore?) {
        let count = lips.length(0)
        let padded = pad(sound, [0, 0, reach, reach])
        // torch's pairwise_distance adds this to the differences.
        let epsilon = 1e-6
        let distances = stacked(
            (0...(2 * reach)).map { shift in
                (lips - padded[shift..<(shift + count)] + epsilon).norm([1])
            }, along: 1)
        let hasInterior = count > 2 * reach
        return (
            LipSyncScore(distances),
            hasInterior ? LipSyncScore(distances[reach..<(count - reach)]) : nil
        )
    }

    /// - Parameter distances: `[N, 31]`.
    private init(_ distances: Tensor) {
        let means = distances.mean([0]).array(of: Float.self).map(Double.init)
        let least = means.indices.min { means[$0] < means[$1] } ?? 0  // there are 31
        offset = Self.reach - least
        distance = means[least]
        confidence = means.sorted()[means.count / 2] - means[least]
        windows = distances.length(0)
    }
}

/// What SyncNet looks at: two protocols go by its name.
public enum LipSyncProtocol: String, Codable, Sendable {
    /// The face, cut out as the published pipeline cuts it.
    case faceCrop = "face-crop"
    /// The whole picture, resized.
    case wholeFrame = "whole-frame"
}

/// Measures lip-sync of stretches of video.
public final class LipSync {
    private let network: SyncNet
    /// The number of windows embedded at a time: what the layers hand on then stays in the cache.
    private static let batch = 8
    /// The colour around the picture, as published.
    private static let border = Border.gray(110)

    /// - Throws: `LoopyError`, as `SyncNet` does.
    public init(path: String) throws { network = try SyncNet(path: path) }

    /// Scores the pictures that a reader gives.
    ///
    /// - Parameters:
    ///   - region: maps the 224-pixel square that SyncNet sees to a picture; called with the
    ///     pictures' number among those that the reader gives, and its size.
    ///   - samples: the sound of the same stretch: 16 kHz, -1 to 1.
    /// - Returns: nil when there are fewer than six frames of pictures and sound.
    public func score(
        _ reader: sending VideoReader, samples: [Float],
        region: (_ index: Int, _ width: Int, _ height: Int) -> Affine
    ) throws -> (frames: Int, all: LipSyncScore, interior: LipSyncScore?)? {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        let length = samples.count / Grid.samplesPerFrame
        var lips: [Tensor] = []
        var window = PictureWindow(capacity: Self.batch + SyncNet.frames - 1)
        var frames = 0
        while frames < length, let picture = try pictures.next() {
            window.append(picture.frame, region(frames, picture.frame.width, picture.frame.height))
            frames += 1
            if window.isFull { lips.append(network.embedLips(window.take())) }
        }
        if window.hasWindow { lips.append(network.embedLips(window.take())) }
        // The published procedure leaves the last window out.
        let windows = frames - SyncNet.frames
        guard windows > 0 else { return nil }
        let sound = embedSound(samples, windows: windows)
        let (all, interior) = LipSyncScore.score(
            lips: concatenated(lips, along: 0)[0..<windows], sound: sound)
        return (frames, all, interior)
    }

    private func embedSound(_ samples: [Float], windows: Int) -> Tensor {
        let features = MFCC.features(
            samples.map { Int16(max(-32768, min(32767, ($0 * 32768).rounded()))) })
        var result: [Tensor] = []
        let batch = 64
        for start in stride(from: 0, to: windows, by: batch) {
            let end = min(windows, start + batch)
            result.append(
                network.embedSound(
                    features[.all, (start * 4)..<((end - 1) * 4 + SyncNet.steps)]))
        }
        return concatenated(result, along: 0)
    }

    /// The region of the whole picture.
    public static func wholeFrame(width: Int, height: Int) -> Affine {
        let side = Double(SyncNet.side)
        return Affine(
            xx: Double(width) / side, xy: 0, x0: 0, yx: 0, yy: Double(height) / side, y0: 0)
    }

    /// The regions of a face that is followed, one for each of its boxes, as `run_pipeline.py` cuts
    /// them: centres and sizes are smoothed by a median of 13, and what is cut out is a square of 2.8
    /// half sides around the face, more of it below than above, on whole pixels.
    public static func faceCrops(_ boxes: [Box]) -> [Affine] {
        let halves = median(boxes.map { max($0.width, $0.height) / 2 })
        let xs = median(boxes.map(\.centre.x)), ys = median(boxes.map(\.centre.y))
        let side = Double(SyncNet.side)
        return boxes.indices.map { index in
            let (x, y, half) = (xs[index], ys[index], halves[index])
            let left = (x - 1.4 * half).rounded(.down), right = (x + 1.4 * half).rounded(.down)
            let top = (y - half).rounded(.down), bottom = (y + 1.8 * half).rounded(.down)
            return Affine(
                xx: max(1, right - left) / side, xy: 0, x0: left, yx: 0,
                yy: max(1, bottom - top) / side, y0: top)
        }
    }

    /// The median of the 13 values around each; beyond the ends the first and the last are repeated. (`scipy.signal.medfilt`
    /// of the published pipeline has zeros there, which lets crops shrink and slip at a track's ends.)
    private static func median(_ values: [Double]) -> [Double] {
        values.indices.map { index in
            (index - 6...index + 6).map { values[min(max($0, 0), values.count - 1)] }.sorted()[6]
        }
    }

    /// Pictures as SyncNet wants them, of which the last four stay for the next windows.
    private struct PictureWindow {
        private let pictures: Tensor
        private let capacity: Int
        private var count = 0
        private var isNew = false

        init(capacity: Int) {
            self.capacity = capacity
            pictures = .empty([capacity, SyncNet.side, SyncNet.side, 3])
        }

        var isFull: Bool { count == capacity }
        var hasWindow: Bool { isNew && count >= SyncNet.frames }

        mutating func append(_ frame: VideoFrame, _ region: Affine) {
            pictures[count].withMutableElements(of: Float.self) { rgb in
                frame.sample(
                    region, width: SyncNet.side, height: SyncNet.side, border: LipSync.border,
                    into: rgb)
            }
            count += 1
            isNew = true
        }

        /// Takes the pictures, `[n, H, W, 3]`; the last four stay.
        mutating func take() -> Tensor {
            let kept = SyncNet.frames - 1
            let taken = pictures[0..<count].copy()
            pictures[0..<kept] = taken[(count - kept)...]
            count = kept
            isNew = false
            return taken
        }
    }
}
