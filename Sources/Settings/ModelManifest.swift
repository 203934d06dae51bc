import Errors
import Foundation
import Yams

/// `Manifests/models.yaml`: the networks that Loopy can use and does not bring, by name. Where each is
/// published, which files are needed, and where they lie on this machine.
public struct ModelManifest: Sendable {
    public struct Entry: Sendable, Equatable {
        public let name: String
        /// Where it is published.
        public let url: String
        /// Names of the files that are needed; of alternatives, any one.
        public let files: [[String]]
        public let licence: String
        /// SHA-256 of files, by name, as far as somebody has published them.
        public let digests: [String: String]
        /// Settings that can name it, such as "extract.speech.encoder".
        public let usedBy: [String]
        /// What is done where it is missing.
        public let standIn: String
        /// Where its files are, unless in `Models/<name>`: absolute, or from the manifest's folder.
        public let path: String?
    }

    /// Which files of an entry there are.
    public struct Presence: Sendable, Equatable {
        /// Paths, in the entry's order.
        public var found: [String] = []
        /// Names, alternatives joined by " or ".
        public var missing: [String] = []
    }

    public let path: String
    /// The networks, in the file's order.
    public let entries: [Entry]

    /// Reads a manifest.
    ///
    /// - Throws: `LoopyError` `.configuration`, also for keys that nobody knows.
    public init(_ path: String) throws {
        self.path = path
        let document = try Configuration.document(path).mapping ?? [:]
        entries = try document.map { name, node in
            try Entry(name: name.string ?? "", node, file: path)
        }
    }

    /// The manifest in use: the file that the environment's `LOOPY_MODELS` names; else the nearest
    /// `Manifests/models.yaml` upward from the working directory; else upward from the executable.
    ///
    /// - Throws: `LoopyError` `.configuration` when there is none, or it cannot be understood.
    public static func locate(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        folders: [String] = [FileManager.default.currentDirectoryPath, executableFolder]
    ) throws -> ModelManifest {
        if let path = environment["LOOPY_MODELS"], !path.isEmpty { return try ModelManifest(path) }
        for folder in folders {
            var folder = URL(fileURLWithPath: folder).standardizedFileURL
            while true {
                let path = folder.appendingPathComponent("Manifests/models.yaml").path
                if FileManager.default.fileExists(atPath: path) { return try ModelManifest(path) }
                if folder.path == "/" { break }
                folder.deleteLastPathComponent()
            }
        }
        throw LoopyError(
            .configuration,
            "there is no Manifests/models.yaml above \(folders.joined(separator: " or ")); set "
                + "LOOPY_MODELS to a list of models, or give paths instead of names")
    }

    public static var executableFolder: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().path
    }

    /// The folder that relative paths of the manifest start from: the one that holds `Manifests/`, or
    /// the manifest itself where it lies elsewhere.
    public var folder: String {
        let own = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
        let isBeside = own.lastPathComponent != "Manifests"
        return isBeside ? own.path : own.deletingLastPathComponent().path
    }

    /// - Throws: `LoopyError` `.configuration` that names the nearest known name.
    public func entry(named name: String) throws -> Entry {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw LoopyError(
                .configuration,
                "'\(name)' is neither a file nor a network that \(path) lists"
                    + Configuration.suggest(name, entries.map(\.name)))
        }
        return entry
    }

    /// Where an entry's files belong: a folder, or the file itself where `path:` says so.
    public func location(of entry: Entry) -> String {
        let relative = (entry.path ?? "Models/" + entry.name) as NSString
        let expanded = relative.expandingTildeInPath
        return expanded.hasPrefix("/") ? expanded : folder + "/" + expanded
    }

    /// Where one file of an entry belongs.
    public func location(of file: String, of entry: Entry) -> String {
        let location = location(of: entry)
        let isFile = entry.path != nil && (location as NSString).lastPathComponent == file
        return isFile ? location : location + "/" + file
    }

    public func presence(of entry: Entry) -> Presence {
        let location = location(of: entry)
        if entry.files.count == 1, Self.isFile(location) { return Presence(found: [location]) }
        var presence = Presence()
        for names in entry.files {
            let paths = names.map { location + "/" + $0 }
            if let path = paths.first(where: Self.isFile) {
                presence.found.append(path)
            } else {
                presence.missing.append(names.joined(separator: " or "))
            }
        }
        return presence
    }

    /// What a setting means that names a network or gives a path.
    ///
    /// - Returns: an existing path as it is; for a listed name, its file where it has one and else
    ///   its folder; nil where nothing of it is there.
    /// - Throws: `LoopyError` `.configuration` for anything else, `.missing` where a network's
    ///   files are there in part: that is a mistake, and not a wish for what stands in.
    public func resolve(_ setting: String) throws -> String? {
        if FileManager.default.fileExists(atPath: setting) { return setting }
        let entry = try entry(named: setting)
        let presence = presence(of: entry)
        if presence.found.isEmpty { return nil }
        let location = location(of: entry)
        guard presence.missing.isEmpty else {
            throw LoopyError(
                .missing,
                "\(location): lacks \(presence.missing.joined(separator: ", ")) of \(entry.name), "
                    + "published at \(entry.url)")
        }
        return entry.files.count == 1 ? presence.found[0] : location
    }

    /// `resolve` of the manifest in use; a path needs none.
    public static func resolve(_ setting: String) throws -> String? {
        if FileManager.default.fileExists(atPath: setting) { return setting }
        return try locate().resolve(setting)
    }

    private static func isFile(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && !isFolder.boolValue
    }
}

extension ModelManifest.Entry {
    private static let keys = ["url", "files", "sha256", "licence", "used_by", "stand_in", "path"]

    fileprivate init(name: String, _ node: Node, file: String) throws {
        func wrong(_ what: String) -> LoopyError {
            LoopyError(.configuration, "\(file): \(name): \(what)")
        }
        guard !name.isEmpty, let mapping = node.mapping else {
            throw wrong("is not a mapping of \(Self.keys.joined(separator: ", "))")
        }
        for key in mapping.keys.map({ $0.string ?? "" }) where !Self.keys.contains(key) {
            throw wrong("unknown key '\(key)'" + Configuration.suggest(key, Self.keys))
        }
        func text(_ key: String) throws -> String {
            guard let text = mapping[Node(key)]?.string, !text.isEmpty else {
                throw wrong("'\(key)' is missing or no text")
            }
            return text
        }
        func list(_ key: String) throws -> [Node] {
            guard let sequence = mapping[Node(key)]?.sequence, !sequence.isEmpty else {
                throw wrong("'\(key)' is missing or no list")
            }
            return Array(sequence)
        }
        self.name = name
        url = try text("url")
        licence = try text("licence")
        standIn = try text("stand_in")
        let isGiven = mapping[Node("path")].map { $0.null == nil } ?? false
        path = isGiven ? try text("path") : nil
        usedBy = try list("used_by").compactMap(\.string)
        files = try list("files").map { node in
            let names = node.sequence.map { $0.compactMap(\.string) } ?? [node.string ?? ""]
            guard !names.isEmpty, names.allSatisfy({ !$0.isEmpty }) else {
                throw wrong("'files' is a list of names, or of lists of alternatives")
            }
            return names
        }
        let names = Set(files.joined())
        let pinned = mapping[Node("sha256")]?.mapping ?? [:]
        digests = try Dictionary(
            pinned.map { key, value in
                let name = key.string ?? "", digest = value.string ?? ""
                guard names.contains(name) else {
                    throw wrong(
                        "'sha256' names '\(name)', which is not among its files"
                            + Configuration.suggest(name, names.sorted()))
                }
                guard digest.count == 64, digest.allSatisfy({ $0.isHexDigit && !$0.isUppercase })
                else { throw wrong("the sha256 of \(name) is not 64 digits from 0 to f") }
                return (name, digest)
            }, uniquingKeysWith: { $1 })
    }
}
