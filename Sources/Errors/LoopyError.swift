/// What went wrong, with which file or setting, and what to do about it.
///
/// Loopy throws no other type. Only the world's faults are thrown; a caller's bug traps.
public struct LoopyError: Error, CustomStringConvertible, Sendable {
    public let category: Category
    public let message: String
    /// The file at fault, where `message` does not name it already.
    public let path: String?

    public init(_ category: Category, _ message: String, path: String? = nil) {
        self.category = category
        self.message = message
        self.path = path
    }

    public var description: String { path.map { "\($0): \(message)" } ?? message }
}

extension LoopyError {
    /// The kind of a fault. Raw values are the reasons that `failures.jsonl` and `sources.jsonl` record.
    public enum Category: String, Sendable, CaseIterable {
        /// A command line, a setting or a combination of settings that cannot be used.
        case configuration
        /// A device that this machine, or this build of libtorch, does not have.
        case device

        /// Something that should be there is missing: a file, or what an earlier stage makes.
        case missing
        /// A file is damaged, or does not hold what it should.
        case malformed
        /// A file asks for what Loopy does for no file: to run code, to read outside its folder.
        case refused
        /// A sound file of a kind that Loopy does not read.
        case unsupported
        /// Two things that belong to different runs, schedules, columns or shards.
        case mismatch

        /// A media file cannot be opened or read.
        case unreadable
        /// The bytes are not one of the accepted media containers.
        case notMedia = "not-media"
        /// No video stream that can be decoded.
        case noVideo = "no-video"
        /// No audio stream that can be decoded.
        case noAudio = "no-audio"
        /// Declared or decoded sizes beyond the limits of the settings.
        case tooLarge = "too-large"
        /// Streams are there, but their packets give no frames.
        case undecodable
        /// An input can be read and is not fit for the purpose: no face is seen, nothing is heard.
        case unsuitable

        /// A loss, a gradient or a network's output is not a finite number.
        case notFinite = "not-finite"
        /// More memory is wanted than there is.
        case memory
        /// A network, an encoder, a filter or a worker process refused to work.
        case processing

        /// Output cannot be written: disk full, no permission.
        case output

        /// The status with which a process exits that ends by such an error (`sysexits.h`).
        public var exitStatus: Int32 {
            switch self {
            case .configuration, .device: 64
            case .missing, .malformed, .refused, .unsupported, .mismatch: 65
            case .unreadable, .notMedia, .noVideo, .noAudio, .tooLarge, .undecodable, .unsuitable:
                65
            case .notFinite, .memory, .processing: 70
            case .output: 74
            }
        }

        /// The category of a child process's failure, by the status with which it exited.
        public init(exitStatus: Int32) {
            self = Self.allCases.first { $0.exitStatus == exitStatus } ?? .processing
        }

        /// Whether one input is at fault, so that work on others may go on.
        public var concernsInput: Bool {
            switch self {
            case .unreadable, .notMedia, .noVideo, .noAudio, .tooLarge, .undecodable, .unsuitable,
                .processing:
                true
            default: false
            }
        }
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

extension LoopyError {
    /// An error of the system call that has just failed: `errno` says why.
    public static func system(_ category: Category, _ doing: String, _ path: String) -> LoopyError {
        let reason = String(cString: strerror(errno))
        let advice = errno == ENOSPC ? "; free some space and run again: finished work is kept" : ""
        return LoopyError(category, "\(doing) failed (\(reason))\(advice)", path: path)
    }
}
