import Foundation
import Storage

/// What `loopy models` says of one network.
public struct ModelReport: Encodable, Sendable {
    public enum State: String, Encodable, Sendable {
        case found
        case missing
        /// Some files are there and others are not.
        case incomplete
        /// A file is there that is plainly no weights.
        case wrong
    }

    public struct File: Encodable, Sendable {
        public let name: String
        public let bytes: Int
        public let sha256: String
        /// What is wrong with it, in words.
        public let problem: String?
    }

    public let name: String
    public let state: State
    /// Where its files are, or belong.
    public let path: String
    public let files: [File]
    /// Names of the files that are not there.
    public let missing: [String]
    public let url: String
    public let licence: String
    public let usedBy: [String]
    public let standIn: String

    enum CodingKeys: String, CodingKey {
        case name, state, path, files, missing, url, licence
        case usedBy = "used_by"
        case standIn = "stand_in"
    }

    /// Reads the files that are there, for their digests.
    ///
    /// - Parameter check: what is plainly wrong with the file of a path; nil when nothing is.
    public init(
        _ entry: ModelManifest.Entry, in manifest: ModelManifest, check: (String) -> String?
    ) throws {
        let presence = manifest.presence(of: entry)
        name = entry.name
        path = manifest.location(of: entry)
        missing = presence.missing
        url = entry.url
        licence = entry.licence
        usedBy = entry.usedBy
        standIn = entry.standIn
        files = try presence.found.map { path in
            let attributes = try FileManager.default.attributesOfItem(
                atPath: (path as NSString).resolvingSymlinksInPath)
            return File(
                name: (path as NSString).lastPathComponent,
                bytes: (attributes[.size] as? NSNumber)?.intValue ?? 0,
                sha256: try Digest.ofFile(path), problem: check(path))
        }
        if files.isEmpty {
            state = .missing
        } else if !missing.isEmpty {
            state = .incomplete
        } else {
            state = files.contains { $0.problem != nil } ? .wrong : .found
        }
    }
}
