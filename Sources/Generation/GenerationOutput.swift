import Errors
import Foundation
import Media
import Storage
import Torch
import Weights

/// What made a video, and how long it took: the document `OUT.json`.
public struct GenerationRecord: Encodable {
    struct Portrait: Encodable {
        var path: String
        var sha256: String
        /// The square that was cut out, in pixels of the upright picture.
        var crop: CropSquare
    }

    struct Audio: Encodable {
        var path: String
        var sha256: String
        var seconds: Double
    }

    /// The name of the model: of its run, or of its folder.
    var model: String
    /// The SHA-256 digests of the files of weights, by name.
    var weights: [String: String]
    /// The number of steps that the weights were trained for.
    var step: Int
    var portrait: Portrait
    var audio: Audio
    var frames: Int
    /// The side of the pictures, in pixels.
    var side: Int
    var settings: GenerationSettings
    /// The seconds that each part took, known at the end.
    var secondsPerFrame: [String: Double]?
    /// What tells a later process whether it would make the same video, known at the end.
    var identity: String?

    /// Computes the SHA-256 digest of what the video depends on.
    fileprivate func digest() throws -> String {
        var facts = self
        facts.model = ""
        facts.portrait.path = ""
        facts.audio.path = ""
        return Digest.of(String(decoding: try JSONLines.line(facts), as: UTF8.self))
    }

    private enum CodingKeys: String, CodingKey {
        case model, weights, step, portrait, audio, frames, side, settings, identity
        case secondsPerFrame = "seconds_per_frame"
    }
}

/// The files of a generated video.
public struct GenerationOutput: Sendable {
    /// The path of the finished video.
    public let video: String
    public let partialVideo: String
    public let record: String
    /// The path of what is needed to go on with the partial video.
    private let state: String

    /// - Throws: `LoopyError` `.configuration` for a path that is a folder's.
    init(_ path: String) throws(LoopyError) {
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        guard !(isThere && isFolder.boolValue), !path.hasSuffix("/") else {
            throw LoopyError(
                .configuration,
                "--output \(path): is a folder; name the video in it, such as out.mp4")
        }
        video = path
        let stem = (path as NSString).deletingPathExtension
        partialVideo = stem + ".partial.mp4"
        state = stem + ".partial.safetensors"
        record = stem + ".json"
    }

    /// Where an unfinished video stands.
    struct State {
        var progress: GrowingVideo.Progress
        /// The latents of the last frames.
        var history: Tensor
        /// The seconds that each part took.
        var seconds: [String: Double]
    }

    private struct Facts: Codable {
        var identity: String
        var progress: GrowingVideo.Progress
        var seconds: [String: Double]
    }

    /// Writes where the video stands.
    ///
    /// - Throws: `LoopyError` `.output`.
    func keep(_ state: State, of record: GenerationRecord) throws {
        let facts = Facts(
            identity: try record.digest(), progress: state.progress, seconds: state.seconds)
        let file = try OutputFile(self.state)
        try SafeTensors.write(
            tensors: [("history", state.history.to(.cpu))],
            metadata: ["state": String(decoding: try JSONLines.line(facts), as: UTF8.self)]
        ) { try file.write($0) }
        try file.commit()
    }

    /// Reads where an earlier process left the video; nil where it was not begun.
    ///
    /// - Throws: `LoopyError` `.unsuitable` when it was begun with something else.
    func past(of record: GenerationRecord) throws -> State? {
        guard FileManager.default.fileExists(atPath: state) else { return nil }
        let file = try Checkpoint(state)
        guard let text = file.metadata["state"], let stored = file.tensor("history"),
            let facts = try? JSONDecoder().decode(Facts.self, from: Data(text.utf8))
        else {
            throw LoopyError(.unsuitable, "\(state): cannot be understood; delete it to begin anew")
        }
        guard facts.identity == (try record.digest()) else {
            throw LoopyError(
                .unsuitable,
                "\(partialVideo): was begun with another portrait, recording, model or other settings; "
                    + "go on with those, or begin anew without --resume")
        }
        // Copied: the file will be replaced.
        return State(
            progress: facts.progress, history: Tensor(stored).copy(), seconds: facts.seconds)
    }

    /// Whether the finished video is there, made from the same.
    func isFinished(_ record: GenerationRecord) throws -> Bool {
        struct Finished: Decodable { var identity: String }
        guard FileManager.default.fileExists(atPath: video),
            let finished = try? JSONLines.readDocument(Finished.self, from: self.record)
        else { return false }
        return finished.identity == (try record.digest())
    }

    /// Gives the finished video its name, says what made it, and removes what was needed on the way.
    func finish(
        _ growing: GrowingVideo, _ record: GenerationRecord, seconds: [String: Double]
    ) throws {
        try OutputFile.write(to: video) { try growing.finish(to: $0) }
        var record = record
        record.identity = try record.digest()
        record.secondsPerFrame = seconds.mapValues { $0 / Double(record.frames) }
        try JSONLines.writeDocument(record, to: self.record)
        forget()
    }

    /// Removes what is there of an unfinished video, its state first, without which the rest is of no use.
    func forget() {
        for leftover in [state, partialVideo] {
            try? FileManager.default.removeItem(atPath: leftover)
        }
    }
}
