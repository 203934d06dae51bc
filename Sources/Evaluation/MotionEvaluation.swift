import Curation
import Errors
import Foundation
import Media
import Perception
import Storage

/// What coordinates are divided by before their variance is taken.
public enum MotionProtocol: String, Codable, Sendable {
    /// The video is square: its side, as the column `motion` has it.
    case squareFrame = "square-frame"
    /// The side of the crop that the planner would cut around the face.
    case plannedCrop = "planned-crop"
}

/// What `loopy-evaluate motion` says of a video.
public struct MotionReport: Codable, Sendable {
    public let video: String
    public let protocolName: MotionProtocol
    /// What coordinates were divided by, in pixels.
    public let side: Int
    /// The first frame that was measured, and how many were, at 25 a second.
    public let start: Int
    public let frames: Int
    /// The number of windows of 12 frames, over which the values are means.
    public let windows: Int
    /// The variance of the head's motion.
    public let glo: Double
    /// The variance of the expression.
    public let exp: Double
    /// The same without the camera's motion, over the windows in which what is behind the person shows
    /// it: nil where these are fewer than half, which would say little of the video.
    public let stabilised: Stabilised?

    public struct Stabilised: Codable, Sendable {
        public let windows: Int
        public let glo: Double
        public let exp: Double
    }

    private enum CodingKeys: String, CodingKey {
        case video, side, start, frames, windows, glo, exp, stabilised
        case protocolName = "protocol"
    }
}

/// Measures head motion and expression of the face that fills most of a video: the means over all
/// windows of what the column `motion` holds (`MotionVariance`), with and without the camera's motion.
public final class MotionEvaluation {
    private let opener: FaceVideoOpener

    public init(threads: Int) { opener = FaceVideoOpener(threads: threads) }

    /// - Throws: `LoopyError` when the video cannot be decoded, or there is no face
    ///   in it, or too little of it.
    public func report(_ path: String) throws -> MotionReport {
        let video = try opener.open(path)
        return try Self.report(
            path, probe: video.probe, face: video.face, threads: video.threads)
    }

    static func report(
        _ path: String, probe: MediaProbe, face: FollowedFace, threads: Int
    ) throws -> MotionReport {
        // What comes after the face was last seen is not measured; gaps before that are bridged.
        let moments = face.moments.prefix(
            (face.moments.lastIndex(where: \.isSeen) ?? -1) + 1)
        guard moments.count >= MotionVariance.window else {
            throw LoopyError(
                .unsuitable,
                "\(path): its face is seen for \(moments.count) frames: head motion and expression "
                    + "need \(MotionVariance.window)")
        }
        let values = try Keypoints.filled(
            moments.map { moment in
                guard moment.isSeen else { return nil }
                return moment.points.flatMap { [Float($0.x), Float($0.y), 1] }
            })
        let (name, side) = scale(moments, width: probe.video.width, height: probe.video.height)
        var plain = WindowMeans()
        try plain.add(values, side: side)
        var steady = WindowMeans()
        for run in try steadyRuns(path, probe: probe, face.start, moments, values, threads) {
            try steady.add(run, side: side)
        }
        return MotionReport(
            video: path, protocolName: name, side: side, start: face.start, frames: moments.count,
            windows: plain.windows, glo: plain.glo, exp: plain.exp,
            stabilised: steady.windows * 2 < plain.windows
                ? nil : .init(windows: steady.windows, glo: steady.glo, exp: steady.exp))
    }

    /// Means over the windows of several stretches.
    private struct WindowMeans {
        private(set) var windows = 0
        private var sums = (head: 0.0, expression: 0.0)

        var glo: Double { sums.head / Double(windows) }
        var exp: Double { sums.expression / Double(windows) }

        /// - Parameter values: `[T, 68, 3]`, in pixels.
        mutating func add(_ values: [Float], side: Int) throws {
            let frames = values.count / (IBUG68.count * 3)
            guard frames >= MotionVariance.window else { return }
            let variances = try MotionVariance.column(
                NumPyArray(shape: [frames, IBUG68.count, 3], values: values), side: Double(side))
            for window in 0..<variances.shape[0] {
                sums.head += Double(variances.values[window * 2])
                sums.expression += Double(variances.values[window * 2 + 1])
            }
            windows += variances.shape[0]
        }
    }

    /// Key points as a camera that stood still would have seen them: for every stretch over which its
    /// motion is known, in the pixels of the stretch's first picture.
    private static func steadyRuns(
        _ path: String, probe: MediaProbe, _ start: Int,
        _ moments: ArraySlice<FollowedFace.Moment>, _ values: [Float], _ threads: Int
    ) throws -> [[Float]] {
        let pictures = FramePrefetcher(
            try VideoReader(
                path: path, clock: probe.video.clock, range: start..<(start + moments.count),
                threads: threads))
        defer { pictures.cancel() }
        var camera = CameraMotion()
        var runs: [[Float]] = []
        var back = CameraStep()
        let width = IBUG68.count * 3
        while let picture = try pictures.next() {
            let index = picture.index - start
            let isKnown: Bool
            if picture.isRepeat, !runs.isEmpty {
                isKnown = true
            } else if let step = camera.step(to: picture.frame, head: moments[index].head) {
                back = back.after(step)
                isKnown = true
            } else {
                back = CameraStep()
                isKnown = false
            }
            if !isKnown { runs.append([]) }
            for point in stride(from: index * width, to: (index + 1) * width, by: 3) {
                let still = back(Point(Double(values[point]), Double(values[point + 1])))
                runs[runs.count - 1] += [Float(still.x), Float(still.y), values[point + 2]]
            }
        }
        return runs
    }

    private static func scale(
        _ moments: ArraySlice<FollowedFace.Moment>, width: Int, height: Int
    ) -> (MotionProtocol, Int) {
        if width == height { return (.squareFrame, width) }
        // A head that leaves the picture's square has a scale all the same.
        var settings = ClipSettings()
        settings.outside = .pad
        let heights = moments.reduce(0) { $0 + $1.box.height }
        let plan = CropPlanner(settings: settings, width: width, height: height).plan(
            heads: moments.map(\.head), faceHeight: heights / Double(moments.count))
        return (.plannedCrop, plan.square.side)
    }
}
