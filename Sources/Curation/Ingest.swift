import Dataset
import Errors
import Foundation
import Media
import Storage
import Stores

/// Lists raw videos in `sources.jsonl`: digest, size, what the container says, and what a public
/// dataset's annotations do.
///
/// Sources that are already listed keep their position, so that the work units of former runs stand;
/// files unchanged since then are not read again, unless within other limits. What cannot be used is
/// listed with the reason.
public struct Ingest {
    public struct Report: Sendable {
        public var sources: [Source] = []
        /// The copies of listed sources: the path of each, and the path of its source.
        public var duplicates: [(path: String, original: String)] = []
        /// The number of files in the folders that are not videos by their names.
        public var ignored = 0
        /// What was imported, where annotations were read.
        public var imported: ImportReport?
    }

    let dataset: DatasetDirectory
    let settings: IngestSettings

    public init(_ dataset: DatasetDirectory, settings: IngestSettings) {
        self.dataset = dataset
        self.settings = settings
    }

    /// - Parameters:
    ///   - inputs: files and folders; folders are searched to the bottom.
    ///   - onSource: called with each source as it is read, and how many of how many it is.
    /// - Throws: `LoopyError` when an input does not exist or the list cannot be written.
    public func run(
        _ inputs: [String], onSource: (Source, Int, Int) -> Void = { _, _, _ in }
    ) throws -> Report {
        var report = Report()
        var found = SourceSearch(extensions: settings.extensions)
        for input in inputs { try found.add(input) }
        var paths = found.videos.sorted()
        report.ignored = found.others.count
        let annotations = try settings.readAnnotations(
            videos: paths, others: found.others.sorted())
        if settings.format == .loopy { return try runPublished(found, onSource: onSource) }
        let match = annotations.map { AnnotationMatch($0.videos, files: paths) }
        if let annotations, let match {
            report.imported = ImportReport(settings.format, annotations, match)
            paths = paths.filter { match.videos[$0] != nil }
        }

        let listed = try listedSources()
        let known = Self.byPath(listed)
        var read: [Source] = found.unreadable
        for (number, path) in paths.enumerated() {
            let source = try source(at: path, known: known[path], remote: found.remote[path])
            onSource(source, number + 1, paths.count)
            guard let annotations, let video = match?.videos[path] else {
                read.append(source.withoutAnnotations)
                continue
            }
            var problems: [AnnotationProblem] = []
            if let source = source.annotated(as: annotations.videos[video], problems: &problems) {
                read.append(source)
            }
            report.imported?.problems += problems
        }

        // Former sources first and in their order, then the new ones.
        let order = Dictionary(
            listed.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { first, _ in first })
        read.sort {
            (order[$0.path] ?? .max, $0.path) < (order[$1.path] ?? .max, $1.path)
        }
        var originals: [String: String] = [:]
        for source in read {
            if let original = originals[source.digest], source.probe != nil {
                report.duplicates.append((source.path, original))
            } else {
                originals[source.digest] = source.path
                report.sources.append(source)
                if match?.videos[source.path] != nil, source.probe != nil {
                    report.imported?.count(source)
                }
            }
        }
        try JSONLines.write(report.sources, to: dataset.sourcesFile)
        if let imported = report.imported {
            try JSONLines.writeDocument(imported, to: dataset.ingestReportFile)
        } else {
            unlink(dataset.ingestReportFile)
        }
        return report
    }

    /// The sources of former runs.
    func listedSources() throws -> [Source] {
        FileManager.default.fileExists(atPath: dataset.sourcesFile) ? try dataset.sources() : []
    }

    static func byPath(_ sources: [Source]) -> [String: Source] {
        Dictionary(sources.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The size of a file, and the time of its last change in nanoseconds; zeros where there is none.
    static func state(of path: String) -> (bytes: Int, modified: Int) {
        var information = stat()
        guard RecordedPath(path).withCString({ stat($0, &information) }) == 0 else { return (0, 0) }
        let time = information.st_mtim
        return (Int(information.st_size), time.tv_sec * 1_000_000_000 + Int(time.tv_nsec))
    }

    /// - Parameter remote: what an object store says of the file, where it is in one.
    /// - Throws: `LoopyError` `.output` where the store cannot be reached; what is wrong with the file
    ///   itself is said by the source.
    func source(
        at path: String, known: Source?, remote: ObjectStore.Entry?
    ) throws -> Source {
        let (bytes, modified) =
            remote.map { ($0.bytes, Int($0.modified * 1e9)) } ?? Self.state(of: path)
        let unchanged = known.flatMap {
            $0.bytes == bytes && $0.modified == modified && $0.probe != nil ? $0 : nil
        }
        let limits = settings.limits == MediaLimits() ? nil : settings.limits
        if let unchanged, unchanged.limits == limits,
            unchanged.probe?.version == MediaProbe.currentVersion
        {
            return unchanged
        }
        var source = Source(
            digest: Digest.of(path), path: path, bytes: bytes, modified: modified)
        do {
            let (probe, digest) = try RecordedPath(path).withReadablePath { readable in
                (
                    try MediaProbe(path: readable, limits: settings.limits),
                    try unchanged?.digest ?? Digest.ofFile(readable)
                )
            }
            source.digest = digest
            (source.probe, source.limits) = (probe, limits)
            if probe.duration - probe.lastPacketEnd > max(1, 0.02 * probe.duration) {
                source.reason = "truncated"
                source.error = String(
                    format:
                        "ends after %.1f s of the %.1f s that it declares; what is there is used",
                    probe.lastPacketEnd, probe.duration)
            }
        } catch let error as LoopyError where error.category == .output {
            throw error
        } catch let error as LoopyError {
            source.reason = error.category.rawValue
            source.error = error.message
        } catch {
            source.reason = LoopyError.Category.unreadable.rawValue
            source.error = "\(error)"
        }
        return source
    }
}

extension Source {
    /// As it is where no annotations are read, whatever was said of it before.
    fileprivate var withoutAnnotations: Source {
        guard spans != nil else { return self }
        var source = self
        (source.spans, source.identity) = (nil, nil)
        return source
    }
}
