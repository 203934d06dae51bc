import Dataset
import Foundation
import Media

/// Lists raw videos in `sources.jsonl`: digest, size and what the container says.
///
/// Sources that are already listed keep their place, so that the work units of former runs stand;
/// files unchanged since then are not read again. What cannot be used is listed with the reason.
public struct Ingest {
    public struct Report: Sendable {
        public var sources: [Source] = []
        /// Copies of a listed source: path, and path of the source.
        public var duplicates: [(path: String, original: String)] = []
        /// Files in the folders that are not videos by their names.
        public var ignored = 0
    }

    private let dataset: DatasetDirectory
    private let settings: IngestSettings

    public init(_ dataset: DatasetDirectory, settings: IngestSettings) {
        self.dataset = dataset
        self.settings = settings
    }

    /// - Parameters:
    ///   - inputs: files and folders; folders are searched to the bottom.
    ///   - onSource: called with each source as it is read, and how many of how many it is.
    /// - Throws: `DatasetError` when an input does not exist or the list cannot be written.
    public func run(
        _ inputs: [String], onSource: (Source, Int, Int) -> Void = { _, _, _ in }
    ) throws -> Report {
        var report = Report()
        var paths: [String] = []
        var unreadable: [Source] = []
        for input in inputs {
            try find(input, into: &paths, unreadable: &unreadable, ignored: &report.ignored)
        }
        paths = Set(paths).sorted()

        let listed =
            FileManager.default.fileExists(atPath: dataset.sourcesFile)
            ? try dataset.sources() : []
        let known = Dictionary(
            listed.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        var read: [Source] = unreadable
        for (number, path) in paths.enumerated() {
            let source = source(at: path, known: known[path])
            onSource(source, number + 1, paths.count)
            read.append(source)
        }

        // Former sources first and in their order, then the new ones.
        let places = Dictionary(
            listed.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
        read.sort {
            (places[$0.path] ?? .max, $0.path) < (places[$1.path] ?? .max, $1.path)
        }
        var originals: [String: String] = [:]
        for source in read {
            if let original = originals[source.digest], source.probe != nil {
                report.duplicates.append((source.path, original))
            } else {
                originals[source.digest] = source.path
                report.sources.append(source)
            }
        }
        try JSONLines.write(report.sources, to: dataset.sourcesFile)
        return report
    }

    private func find(
        _ input: String, into paths: inout [String], unreadable: inout [Source],
        ignored: inout Int
    ) throws {
        let path = URL(fileURLWithPath: input).standardizedFileURL.path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw DatasetError(.missing, "\(path): there is no such file or folder")
        }
        if !isFolder.boolValue {
            paths.append(path)
            return
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            var source = Source(digest: Digest.of(path), path: path, bytes: 0, modified: 0)
            source.reason = MediaError.Code.unreadable.rawValue
            source.error = "the folder cannot be listed; its permissions forbid it"
            unreadable.append(source)
            return
        }
        for name in names where !name.hasPrefix(".") {
            let child = path + "/" + name
            if FileManager.default.fileExists(atPath: child, isDirectory: &isFolder),
                isFolder.boolValue
            {
                // A link to a folder may lead in a circle.
                if (try? FileManager.default.destinationOfSymbolicLink(atPath: child)) == nil {
                    try find(child, into: &paths, unreadable: &unreadable, ignored: &ignored)
                }
            } else if settings.extensions.contains((name as NSString).pathExtension.lowercased()) {
                paths.append(child)
            } else {
                ignored += 1
            }
        }
    }

    private func source(at path: String, known: Source?) -> Source {
        var information = stat()
        let exists = stat(path, &information) == 0
        let bytes = exists ? Int(information.st_size) : 0
        let modified =
            information.st_mtim.tv_sec * 1_000_000_000 + Int(information.st_mtim.tv_nsec)
        if let known, known.bytes == bytes, known.modified == modified, known.probe != nil {
            return known
        }
        var source = Source(
            digest: Digest.of(path), path: path, bytes: bytes, modified: modified)
        do {
            let probe = try MediaProbe(path: path, limits: settings.limits)
            source.digest = try Digest.ofFile(path)
            source.probe = probe
            if probe.duration - probe.lastPacketEnd > max(1, 0.02 * probe.duration) {
                source.reason = "truncated"
                source.error = String(
                    format:
                        "ends after %.1f s of the %.1f s that it declares; what is there is used",
                    probe.lastPacketEnd, probe.duration)
            }
        } catch let error as MediaError {
            source.reason = error.code.rawValue
            source.error = error.message
        } catch {
            source.reason = MediaError.Code.unreadable.rawValue
            source.error = "\(error)"
        }
        return source
    }
}
