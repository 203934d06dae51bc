import Dataset
import Errors
import Foundation
import Storage
import Stores

/// What a published dataset (`loopy publish`) says of its sources and clips.
struct PublishedAnnotations {
    let catalogue: Catalogue
    /// The sources, in the order of the dataset.
    let sources: [Source]
    /// The accepted clips of each split, in the order of the shards.
    let clips: [Decision]

    /// - Parameter folder: the published folder.
    /// - Throws: `LoopyError` where it is none, or cannot be understood.
    init(_ folder: String) throws {
        let path = folder + "/" + PublishedFolder.sources
        guard FileManager.default.fileExists(atPath: path) else {
            throw LoopyError(
                .missing,
                "\(path): is not there; format loopy reads a folder that 'loopy publish' wrote")
        }
        catalogue = try JSONLines.readDocument(
            Catalogue.self, from: folder + "/" + PublishedFolder.catalogue)
        sources = try JSONLines.read(Source.self, from: path)
        clips = try Decision.Split.allCases.flatMap { split in
            let path = folder + "/" + PublishedFolder.metadata(split)
            return FileManager.default.fileExists(atPath: path)
                ? try JSONLines.read(Decision.self, from: path) : []
        }
    }
}

/// Files on disk for the sources of a published dataset: known by their bytes, whatever they are called now.
private struct PublishedSources {
    private(set) var found: [Int: Source] = [:]
    private var wanted: [Int: [Int]] = [:]
    private let sources: [Source]

    init(_ sources: [Source]) {
        self.sources = sources
        for (index, source) in sources.enumerated() {
            wanted[source.bytes, default: []].append(index)
        }
    }

    /// Whether a file may be one that is still looked for.
    func mayBe(bytes: Int) -> Bool { wanted[bytes] != nil }

    /// Whether a file has the size of a source that is still looked for, and its name.
    func isNamed(_ path: String, bytes: Int) -> Bool {
        let name = RecordedPath(path).fileName
        return wanted[bytes]?.contains { sources[$0].path == name } ?? false
    }

    /// - Returns: false where the file is none of the sources.
    mutating func take(_ source: Source) -> Bool {
        guard
            let index = wanted[source.bytes]?.first(where: { sources[$0].digest == source.digest })
        else { return false }
        wanted[source.bytes]?.removeAll { $0 == index }
        if wanted[source.bytes]?.isEmpty == true { wanted[source.bytes] = nil }
        var taken = source
        (taken.identity, taken.spans) = (sources[index].identity, sources[index].spans)
        found[index] = taken
        return true
    }

    var missing: [Source] {
        sources.indices.filter { found[$0] == nil }.map { sources[$0] }
    }
}

extension Ingest {
    /// Lists the sources of a published dataset that are on disk, and writes the selection of their clips, as
    /// `loopy-select` wrote it where the dataset was made. Nothing has to be measured and decided again, so
    /// that keys, spans, crops and splits are the same on every machine.
    ///
    /// Files are read only where a source of their size is looked for, those of its name first.
    func runPublished(
        _ search: SourceSearch, onSource: (Source, Int, Int) -> Void
    ) throws -> Report {
        let published = try PublishedAnnotations(settings.annotations)
        var imported = ImportReport(published: published)
        let known = Self.byPath(try listedSources())
        var sources = PublishedSources(published.sources)
        let files = search.videos.sorted().map { path in
            (path: path, bytes: search.remote[path]?.bytes ?? Self.state(of: path).bytes)
        }
        let named = files.filter { sources.isNamed($0.path, bytes: $0.bytes) }
        let others = files.filter { !sources.isNamed($0.path, bytes: $0.bytes) }
        for (number, file) in (named + others).enumerated() {
            var isTaken = false
            if sources.mayBe(bytes: file.bytes) {
                let source = try source(
                    at: file.path, known: known[file.path], remote: search.remote[file.path])
                onSource(source, number + 1, files.count)
                isTaken = sources.take(source)
                if !isTaken, source.probe == nil, let error = source.error {
                    imported.problems.append(AnnotationProblem(file.path, error))
                }
            }
            if !isTaken { imported.unlisted.append(file.path) }
        }
        imported.unlisted.sort()
        let missing = sources.missing
        imported.missing = missing.map(\.path)
        let names = Dictionary(
            imported.unlisted.map { (RecordedPath($0).fileName, $0) }, uniquingKeysWith: { $1 })
        imported.problems += missing.compactMap { source in
            names[source.path].map { path in
                AnnotationProblem(
                    path,
                    "is called as a source of \(source.bytes) bytes with the SHA-256 "
                        + "\(source.digest.prefix(12)), and has other bytes: another version of the video?"
                )
            }
        }
        var report = Report()
        report.ignored = search.others.count
        report.sources = sources.found.sorted { $0.key < $1.key }.map(\.value)
        let clips = published.clips(of: report.sources)
        imported.imported.videos = report.sources.count
        imported.imported.spans = clips.count
        imported.imported.crops = clips.count { $0.crop != nil }
        report.imported = imported
        // Folders that cannot be listed: a source may be in one of them.
        report.sources += search.unreadable
        try JSONLines.write(report.sources, to: dataset.sourcesFile)
        try JSONLines.writeDocument(imported, to: dataset.ingestReportFile)
        try JSONLines.write(clips, to: dataset.selectionFile)
        try Catalogue.update(dataset) { catalogue in
            catalogue.counts.sources = imported.imported.videos
            catalogue.counts.candidates = clips.count
            catalogue.counts.accepted = clips.count
            catalogue.counts.rejected = [:]
            catalogue.selection = published.catalogue.selection
            catalogue.rulesNotApplied = published.catalogue.rulesNotApplied
        }
        return report
    }
}

extension PublishedAnnotations {
    /// The clips of sources that are on disk, in the order of the sources and of time.
    func clips(of sources: [Source]) -> [Decision] {
        let indices = Dictionary(
            sources.enumerated().map { ($1.digest, $0) }, uniquingKeysWith: { first, _ in first })
        let located = clips.enumerated().compactMap {
            index, clip -> (order: [Int], clip: Decision)? in
            guard let source = indices[clip.source] else { return nil }
            var clip = clip
            clip.path = sources[source].path
            return ([source, clip.frames.lowerBound, index], clip)
        }
        return located.sorted { $0.order.lexicographicallyPrecedes($1.order) }.map(\.clip)
    }
}
