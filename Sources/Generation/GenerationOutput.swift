import Errors
import Foundation
import Media
import Storage
import Torch
import Weights

/// What made a video, and how long it took: `OUT.json`.
public struct GenerationRecord: Encodable {
    struct Portrait: Encodable {
        var path: String
        var sha256: String
        /// In pixels of the upright picture.
        var crop: CropSquare
    }

    struct Audio: Encodable {
        var path: String
        var sha256: String
        var seconds: Double
    }

    /// SHA-256 of the files of weights, by name.
    var weights: [String: String]
    /// Steps that they were trained for.
    var step: Int
    var portrait: Portrait
    var audio: Audio
    var frames: Int
    /// Of the pictures, in pixels.
    var side: Int
    var settings: GenerationSettings
    /// By part: known at the end.
    var secondsPerFrame: [String: Double]?
    /// Tells a later run whether it would make the same: known at the end.
    var identity: String?

    /// SHA-256 of what the video depends on.
    fileprivate func digest() throws -> String {
        var facts = self
        facts.portrait.path = ""
        facts.audio.path = ""
        return Digest.of(String(decoding: try JSONLines.line(facts), as: UTF8.self))
    }

    private enum CodingKeys: String, CodingKey {
        case weights, step, portrait, audio, frames, side, settings, identity
        case secondsPerFrame = "seconds_per_frame"
    }
}

/// The files of a generated video.
public struct GenerationOutput: Sendable {
    /// Of the finished video.
    public let video: String
    public let partialVideo: String
    public let record: String
    private let state: String

    init(_ path: String) {
        video = path
        let stem = (path as NSString).deletingPathExtension
        partialVideo = stem + ".partial.mp4"
        state = stem + ".partial.safetensors"
        record = stem + ".json"
    }

    /// Where a video stands that is not finished.
    struct State {
        var place: GrowingVideo.Place
        /// Latents of the last frames.
        var history: Tensor
        /// By part.
        var seconds: [String: Double]
    }

    private struct Facts: Codable {
        var identity: String
        var place: GrowingVideo.Place
        var seconds: [String: Double]
    }

    /// - Throws: `LoopyError` `.output`.
    func keep(_ state: State, of record: GenerationRecord) throws {
        let facts = Facts(
            identity: try record.digest(), place: state.place, seconds: state.seconds)
        let file = try OutputFile(self.state)
        try SafeTensors.write(
            tensors: [("history", state.history.to(.cpu))],
            metadata: ["state": String(decoding: try JSONLines.line(facts), as: UTF8.self)]
        ) { try file.write($0) }
        try file.commit()
    }

    /// Where the video was left; nil where it was not begun.
    ///
    /// - Throws: `LoopyError` when it was begun with something else.
    func past(of record: GenerationRecord) throws -> State? {
        guard FileManager.default.fileExists(atPath: state) else { return nil }
        let file = try Checkpoint(state)
        guard let text = file.metadata["state"], let stored = file.tensor("history"),
            let facts = try? JSONDecoder().decode(Facts.self, from: Data(text.utf8))
        else { throw LoopyError(.unsuitable, "\(state): cannot be understood; delete it to begin anew") }
        guard facts.identity == (try record.digest()) else {
            throw LoopyError(.unsuitable, 
                "\(partialVideo): was begun with another portrait, recording, model or other settings; "
                    + "go on with those, or begin anew without --resume")
        }
        // Copied: the file will be replaced.
        return State(
            place: facts.place, history: Tensor(stored).copy(), seconds: facts.seconds)
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

    /// Removes what is there of a video that is not finished, its state first: without it, the rest is
    /// of no use.
    func forget() {
        for leftover in [state, partialVideo] {
            try? FileManager.default.removeItem(atPath: leftover)
        }
    }
}
