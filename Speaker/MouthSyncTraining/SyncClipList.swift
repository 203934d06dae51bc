import Errors
import Foundation

/// A list of real clips: a line each with a path, a number of frames, and a use, tabs between them.
public struct SyncClipList {
    public struct Line: Equatable {
        public let path: String
        /// The frames by which the file's sound is known to be early.
        public let soundLead: Int
        public let isForTraining: Bool
    }

    public let lines: [Line]

    /// - Parameters:
    ///   - path: a file. Lines that begin with # are comments.
    ///   - folder: what paths in it are relative to; its own folder when left out.
    /// - Throws: `LoopyError` that names the file and the line.
    public init(path: String, folder: String? = nil) throws {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw LoopyError(.missing, "cannot be read", path: path)
        }
        let folder = folder ?? (path as NSString).deletingLastPathComponent
        lines = try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let fields = line.split(separator: "\t").map(String.init)
            guard fields.count == 3, let lead = Int(fields[1]),
                ["train", "check"].contains(fields[2])
            else {
                throw LoopyError(
                    .malformed,
                    "\"\(line)\" is not a path, a number of frames, and train or check, with tabs between",
                    path: path)
            }
            return Line(
                path: fields[0].hasPrefix("/") ? fields[0] : folder + "/" + fields[0],
                soundLead: lead, isForTraining: fields[2] == "train")
        }
    }
}
