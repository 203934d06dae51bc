import Dataset
import Errors
import Foundation
import Settings
import Storage
import Stores
import Synchronization

/// The column `transcript`: what is said in a clip, as a command of the user's hears it.
public typealias TranscriptColumn = TextColumn<Transcript>
/// The column `caption`: what is seen in a clip, as a command of the user's describes it.
public typealias CaptionColumn = TextColumn<Caption>

/// What a column of text is made from.
public protocol TextKind: Sendable {
    static var name: String { get }
    static var input: String { get }
}

public enum Transcript: TextKind {
    public static let name = "transcript"
    public static let input = "audio"
}

public enum Caption: TextKind {
    public static let name = "caption"
    public static let input = "video"
}

/// Settings of a column of text.
public struct TextSettings: DescribedSettings {
    public var command = ""
    public var version = ""

    public init() {}

    public static var settings: [Setting<TextSettings>] {
        [
            .text(
                "command", \.command, "a command", mayBeEmpty: true,
                "The command, with its arguments, as a shell takes it. It reads lines of a clip's key, a tab "
                    + "and the path of its file (FLAC or MP4), and answers each with a line: a JSON object with "
                    + "the same \"key\" and whatever it has to say, or with \"error\"."),
            .text(
                "version", \.version, "any text", mayBeEmpty: true,
                "What the command's answers depend on beside its words, such as a model's name: when it "
                    + "changes, they are asked for again."),
        ]
    }
}

/// A column whose members are JSON objects that a command of the user's answers with: a network of speech
/// recognition, say, in whatever language and environment it is at home.
///
/// The command is started once a worker. When it ends before it has answered, the clip is a failure and
/// the next clip finds a new one; when it hangs, the worker is ended as for any other item.
public struct TextColumn<Kind: TextKind>: FeatureColumn {
    public static var name: String { Kind.name }
    public static var inputs: [String] { [Kind.input] }
    public static var suffix: String { ".json" }
    /// Words are no pictures and no sound.
    public static var revealsInputs: Bool { false }

    public let settings: TextSettings
    public let identity: ColumnIdentity
    private let command = Command()

    /// The running command.
    private final class Command: Sendable {
        let process = Mutex<LineProcess?>(nil)
    }

    public init(_ settings: TextSettings, _ context: ColumnContext) throws {
        guard !settings.command.isEmpty else {
            throw LoopyError(
                .configuration,
                "extract.\(Kind.name).command is not set: name a command that reads lines of key, tab and "
                    + "path, and answers each with a JSON object")
        }
        self.settings = settings
        identity = ColumnIdentity(version: 1, configuration: settings)
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let file = clip[Kind.input]
        // A member of an archive gets a file of its own while the command looks at it.
        guard file.bytes != nil else { return try member(of: clip, file.path) }
        let ending = Kind.input == "audio" ? ".flac" : ".mp4"
        let path = NSTemporaryDirectory() + "loopy-\(getpid())-\(clip.key)\(ending)"
        try OutputFile.write(file.read(), to: path)
        defer { unlink(path) }
        return try member(of: clip, path)
    }

    private func member(of clip: ClipInputs, _ path: String) throws -> ColumnMember {
        let answer = try ask(clip.key, path)
        guard case .object(var members)? = try? JSONDecoder().decode(JSONValue.self, from: answer),
            members.removeValue(forKey: "key") == .string(clip.key)
        else {
            // The answer may come yet, and would be taken for the next clip's.
            command.process.withLock { $0 = nil }
            let text = String(decoding: answer.prefix(200), as: UTF8.self)
                .trimmingCharacters(in: .newlines)
            throw LoopyError(
                .malformed,
                "\(settings.command): its answer is no JSON object with the key \(clip.key): \(text)"
            )
        }
        if let error = members["error"], error != .null {
            throw LoopyError(.undecodable, "\(settings.command): \(error.string ?? "\(error)")")
        }
        return ColumnMember(
            bytes: JSONValue.object(members).line + [UInt8(ascii: "\n")], frames: clip.frames ?? 0)
    }

    private func ask(_ key: String, _ path: String) throws -> Data {
        try command.process.withLock { process in
            let running = try process ?? LineProcess(["sh", "-c", settings.command])
            process = running
            if let answer = try running.ask(Array("\(key)\t\(path)\n".utf8)) { return answer }
            process = nil
            // What a shell says of a program that is not there, or is none.
            guard ![126, 127].contains(running.exitStatus()) else {
                throw LoopyError(
                    .output, "extract.\(Kind.name).command cannot be started: \(settings.command)")
            }
            throw LoopyError(.undecodable, "\(settings.command): ended without an answer")
        }
    }
}
