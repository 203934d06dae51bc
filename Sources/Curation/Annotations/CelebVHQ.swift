import Errors
import Foundation
import Perception

/// CelebV-HQ's annotations: `celebvhq_info.json`, with `clips["<ytb_id>_<n>"]` as the dataset's
/// repository (CelebV-HQ/CelebV-HQ) describes them.
///
/// Nobody is named; a video stands for who is seen in it. The box is the published crop: 0.02 of the
/// picture wider on every side, then a square on the shorter one.
package enum CelebVHQ {
    private static let fileName = "celebvhq_info.json"
    private static let expansion = 0.02

    /// - Parameter path: the file, or the folder that holds it.
    static func read(_ path: String) throws -> Annotations {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let file = exists && isFolder.boolValue ? path + "/" + fileName : path
        guard let json = FileManager.default.contents(atPath: file) else {
            throw LoopyError(.missing, "\(file): cannot be read; it is CelebV-HQ's annotations")
        }
        return try annotations(json, file: file)
    }

    /// - Throws: `LoopyError` `.malformed` when the file as a whole is not what it should be. A clip
    ///   that is not costs nothing but itself.
    package static func annotations(_ json: Data, file: String) throws -> Annotations {
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: json)
        } catch {
            throw LoopyError(.malformed, "\(file): cannot be understood (\(error))")
        }
        var result = Annotations()
        var videos: [String: AnnotatedVideo] = [:]
        for (name, entry) in document.clips.sorted(by: { $0.key < $1.key }) {
            result.listed.spans += 1
            func report(_ problem: String) {
                result.problems.append(AnnotationProblem(file, "clip \(name) " + problem))
            }
            guard case .success(let clip) = entry.result, !clip.video.isEmpty else {
                report("lacks ytb_id or duration; left out")
                continue
            }
            if clip.box != nil { result.listed.crops += 1 }
            let (start, end) = (clip.duration.start, clip.duration.end)
            guard start >= 0, start < end, end < 1e6 else {
                report("lasts from \(start) to \(end) s; left out")
                continue
            }
            let box = clip.box.flatMap(box)
            if box == nil { report("has no box inside the picture; any face in it may be meant") }
            var video =
                videos[clip.video]
                ?? AnnotatedVideo(
                    name: clip.video, fileNames: [clip.video], youTubeID: clip.video,
                    identity: clip.video)
            video.spans.append(
                AnnotatedVideo.Span(
                    name: name, start: start, end: end, box: box,
                    attributes: clip.attributes?.named(by: document.names) ?? [:]))
            videos[clip.video] = video
        }
        result.videos = videos.values.sorted { $0.name < $1.name }.map { video in
            var video = video
            video.spans.sort { ($0.start, $0.name) < ($1.start, $1.name) }
            return video
        }
        result.listed.videos =
            Set(
                document.clips.values.compactMap { try? $0.result.get().video }
            ).count
        return result
    }

    private static func box(_ box: Clip.Bounds) -> AnnotatedBox? {
        func grown(_ low: Double, _ high: Double) -> (Double, Double)? {
            guard low >= 0, high <= 1, low < high else { return nil }
            return (max(low - expansion, 0), min(high + expansion, 1))
        }
        guard let (left, right) = grown(box.left, box.right),
            let (top, bottom) = grown(box.top, box.bottom)
        else { return nil }
        return .shares(Box(left: left, top: top, right: right, bottom: bottom))
    }

    private struct Document: Decodable {
        let clips: [String: Lenient<Clip>]
        let names: Names?

        enum CodingKeys: String, CodingKey {
            case clips
            case names = "meta_info"
        }
    }

    /// What the elements of a clip's lists of ones and zeros mean.
    private struct Names: Decodable {
        let appearance: [String]?
        let action: [String]?

        enum CodingKeys: String, CodingKey {
            case appearance = "appearance_mapping"
            case action = "action_mapping"
        }
    }

    private struct Clip: Decodable {
        struct Duration: Decodable {
            let start: Double
            let end: Double

            enum CodingKeys: String, CodingKey {
                case start = "start_sec"
                case end = "end_sec"
            }
        }

        struct Bounds: Decodable {
            let top: Double
            let bottom: Double
            let left: Double
            let right: Double
        }

        let video: String
        let duration: Duration
        let box: Bounds?
        let attributes: Attributes?

        enum CodingKeys: String, CodingKey {
            case duration, attributes
            case video = "ytb_id"
            case box = "bbox"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            video = try values.decode(String.self, forKey: .video)
            duration = try values.decode(Duration.self, forKey: .duration)
            box = try? values.decode(Bounds.self, forKey: .box)
            attributes = try? values.decode(Attributes.self, forKey: .attributes)
        }
    }

    private struct Attributes: Decodable {
        let appearance: [Int]?
        let action: [Int]?
        let emotion: Emotion?

        /// `["appearance": "male, young", "emotion": "happy"]`
        func named(by names: Names?) -> [String: String] {
            var result: [String: String] = [:]
            func list(_ key: String, _ flags: [Int]?, _ names: [String]?) {
                let set = zip(flags ?? [], names ?? []).filter { $0.0 == 1 }.map(\.1)
                if !set.isEmpty { result[key] = set.joined(separator: ", ") }
            }
            list("appearance", appearance, names?.appearance)
            list("action", action, names?.action)
            if let emotion, !emotion.labels.isEmpty {
                result["emotion"] = emotion.labels.joined(separator: ", ")
            }
            return result
        }
    }

    /// One emotion for the clip, or several one after the other.
    private struct Emotion: Decodable {
        struct Part: Decodable { let emotion: String }

        let labels: [String]

        enum CodingKeys: CodingKey { case labels }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            if let one = try? values.decode(String.self, forKey: .labels) {
                labels = [one]
            } else {
                labels = try values.decode([Part].self, forKey: .labels).map(\.emotion)
            }
        }
    }

    /// A value, or why it is none: so that one clip does not take the others with it.
    private struct Lenient<Value: Decodable>: Decodable {
        let result: Result<Value, any Error>

        init(from decoder: any Decoder) { result = Result { try Value(from: decoder) } }
    }
}
