import Dataset
import Foundation
import Media
import Perception

/// The one face of a single picture: judged by the rules that a picture can be judged by, and the square
/// with which a clip would be cut out around it.
public struct Portrait {
    public let crop: CropSquare
    public let metrics: Metrics
    /// Why the rules refuse the picture, where it is taken all the same.
    public let refusals: [Refusal]

    /// Why a picture is refused.
    public struct Refusal: Error, CustomStringConvertible, Sendable {
        /// The rule that refused it: "no-face", "crop", or a metric's name.
        public let rule: String
        /// What was seen.
        public let reason: String
        /// What to do.
        let advice: String

        public var description: String { reason + ". " + advice }
    }

    /// - Parameter takesAny: whether a picture that the rules refuse is taken, around its largest face.
    /// - Throws: `Refusal`; what networks throw.
    public init(
        _ picture: VideoFrame, rules: Rules, clips: ClipSettings, takesAny: Bool = false
    ) throws {
        let tracker = FaceTracker(
            near: try BlazeFace(.short), far: try BlazeFace(.full), network: try FaceMesh())
        tracker.startVideo()
        let faces = try tracker.update(picture)
        let frame = GridFrame(index: 0, frame: picture, isRepeat: false)
        let measurers = try MetricMeasurers()
        let measured = comparedFaces(
            try faces.map { face in
                var track = TrackRecorder(face: face.face, start: 0, frame: picture)
                track.append(face, frame: frame)
                return (0..<1, try measurers.metrics(of: TrackedFace(track: track)))
            })
        func height(_ index: Int) -> Double { measured[index][.faceHeight] ?? 0 }
        guard let largest = faces.indices.max(by: { height($0) < height($1) }) else {
            throw Refusal(
                rule: "no-face", reason: "no face is seen in it",
                advice: "Take a picture of one face, or say where it is: --crop X,Y,SIDE")
        }
        metrics = measured[largest]
        let landmarks = faces[largest].landmarks
        var refusals = Self.refusals(rules, metrics, landmarks, count: faces.count)

        let planned = CropPlanner(settings: clips, width: picture.width, height: picture.height)
            .plan(heads: [landmarks.head], faceHeight: landmarks.box.height)
        if planned.headShare < rules.leastHeadShare {
            refusals.append(
                Refusal(
                    rule: "crop",
                    reason: String(
                        format:
                            "the head does not fit into a square inside the picture (the rule crop: "
                            + "%.2f of it would, and the limit is %.2f)", planned.headShare,
                        rules.leastHeadShare),
                    advice:
                        "Take a picture with more room, set generate.clips.outside: pad, or say "
                        + "--any-portrait"))
        }
        if let refusal = refusals.first, !takesAny { throw refusal }
        self.refusals = refusals
        crop = planned.square
    }

    /// What the rules have against a face.
    private static func refusals(
        _ rules: Rules, _ metrics: Metrics, _ face: FaceLandmarks, count: Int
    ) -> [Refusal] {
        // A crowd is a plainer reason than what one of its faces is like.
        let ordered = [.otherFaces] + Metric.all.filter { $0 != .otherFaces }
        return ordered.compactMap { rules.judge(metrics, [$0]).broken }.map {
            metric, value, limit in
            Refusal(
                rule: metric.name,
                reason: words(metric, face, count: count)
                    + String(
                        format: " (the rule %@: %.3g, and the limit is %.3g)", metric.name, value,
                        limit),
                advice:
                    "Take another picture, move the limit: generate.rules.\(metric.name), or say "
                    + "--any-portrait")
        }
    }

    private static func words(_ metric: Metric, _ face: FaceLandmarks, count: Int) -> String {
        switch metric {
        case .otherFaces: "\(count) faces are seen in it, of comparable size"
        case .rotation:
            String(
                format: "the face is turned away: yaw %.0f, pitch %.0f, roll %.0f degrees",
                face.pose.yaw, face.pose.pitch, face.pose.roll)
        case .faceWidth, .faceHeight:
            String(format: "the face is only %.0fx%.0f pixels", face.box.width, face.box.height)
        case .completeness, .completenessMinimum, .margin: "the head is not all in the picture"
        case .sharpness: "the face is blurred"
        case .brightness: "the face is too dark, or too bright"
        case .presence, .presenceMinimum: "it is not sure that this is a face"
        default: "it is refused"
        }
    }
}

extension Rules {
    /// The defaults as far as they speak of a picture, for a portrait: one face.
    public static var portrait: Rules {
        var rules = Rules()
        let ofTime: [Metric] = [
            .duration, .damaged, .movement, .movementMaximum, .sound, .speech, .mouthInSpeech,
            .speaker, .syncConfidence, .syncOffset,
        ]
        for metric in ofTime { rules[metric] = Limits() }
        rules[.otherFaces].maximum = 0
        return rules
    }
}
