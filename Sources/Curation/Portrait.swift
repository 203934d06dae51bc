import Dataset
import Foundation
import Media
import Perception

/// The one face of a single picture: judged by the rules that a picture can be judged by, and the square
/// with which a clip would be cut out around it.
public struct Portrait {
    public let crop: CropSquare
    public let metrics: Metrics

    /// Why a picture is refused.
    public struct Refusal: Error, CustomStringConvertible, Sendable {
        /// The rule that refused it: "no-face", "crop", or a metric's name.
        public let rule: String
        /// A sentence that says what was seen, and what to do.
        public let description: String
    }

    /// - Throws: `Refusal`; what networks throw.
    public init(_ picture: VideoFrame, rules: Rules, clips: ClipSettings) throws {
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
                rule: "no-face", description: "no face is seen in it; take a picture of one face")
        }
        metrics = measured[largest]
        let landmarks = faces[largest].landmarks
        // A crowd is a plainer reason than what one of its faces is like.
        let broken = rules.judge(metrics, [.otherFaces]).broken ?? rules.judge(metrics).broken
        if let (metric, value, limit) = broken {
            throw Refusal(
                rule: metric.name,
                description: Self.words(metric, landmarks, count: faces.count)
                    + String(
                        format: " (the rule %@: %.3g, and the limit is %.3g). ", metric.name, value,
                        limit)
                    + "Take another picture, or move the limit: generate.rules.\(metric.name)")
        }
        let planner = CropPlanner(
            settings: clips, leastHeadShare: rules.leastHeadShare, width: picture.width,
            height: picture.height)
        switch planner.plan(heads: [landmarks.head], faceHeight: landmarks.box.height) {
        case .crop(let square, _): crop = square
        case .doesNotFit(let share):
            throw Refusal(
                rule: "crop",
                description: String(
                    format:
                        "the head does not fit into a square inside the picture (the rule crop: "
                        + "%.2f of it would, and the limit is %.2f). ", share, rules.leastHeadShare)
                    + "Take a picture with more room, or set generate.clips.outside: pad")
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
