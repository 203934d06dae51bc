import Dataset
import Media
import Perception

/// What came of importing a public dataset's annotations: `ingest-report.json`.
public struct ImportReport: Codable, Sendable, Equatable {
    public struct Counts: Codable, Sendable, Equatable {
        public var videos = 0
        /// Parts of videos that are meant to be used.
        public var spans = 0
        /// Spans of which it is said where the face is.
        public var crops = 0

        public init() {}
    }

    public struct Skipped: Codable, Sendable, Equatable {
        public var path: String
        public var reason: String
    }

    public var format: IngestSettings.Format
    /// What the annotations' rows count, those that cannot be used among them.
    public var listed = Counts()
    /// Without those named in `problems`.
    public var usable = Counts()
    /// What is on disk too, and so in `sources.jsonl`.
    public var imported = Counts()
    /// Videos that are listed and not on disk, by the annotations' names.
    public var missing: [String]
    /// Videos on disk that are not listed.
    public var unlisted: [String]
    public var skipped: [Skipped]
    public var problems: [AnnotationProblem]

    init(
        _ format: IngestSettings.Format, _ annotations: Annotations, _ match: AnnotationMatch
    ) {
        self.format = format
        listed = annotations.listed
        usable = Counts(annotations.videos)
        missing = match.missing
        let skipped = Set(annotations.skipped.map(\.path))
        unlisted = match.unlisted.filter { !skipped.contains($0) }
        self.skipped = annotations.skipped
        problems = annotations.problems + match.problems
    }

    /// Makes the report of a published dataset, whose clips are counted as spans.
    init(published: PublishedAnnotations) {
        format = .loopy
        listed.videos = published.sources.count
        listed.spans = published.clips.count
        listed.crops = published.clips.count { $0.crop != nil }
        usable = listed
        (missing, unlisted, skipped, problems) = ([], [], [], [])
    }

    /// Counts a source whose spans are as they will be used.
    mutating func count(_ source: Source) {
        imported.videos += 1
        imported.spans += source.spans?.count ?? 0
        imported.crops += source.spans?.count { $0.box != nil } ?? 0
    }
}

extension Source {
    /// The source with what an annotation says of it.
    ///
    /// - Returns: nil where the file has none of the annotated spans.
    func annotated(
        as video: AnnotatedVideo, problems: inout [AnnotationProblem]
    ) -> Source? {
        var source = self
        source.identity = video.identity
        source.spans = nil
        guard let picture = probe?.video else { return source }
        let length = Double(picture.gridFrames) / Double(Grid.framesPerSecond)
        var spans: [AnnotatedSpan] = []
        for span in video.spans {
            func report(_ problem: String) {
                problems.append(AnnotationProblem(path, "\(span.name) " + problem))
            }
            guard span.start < length else {
                report(
                    "begins at \(span.start) s, and the file ends at \(length) s; left out. "
                        + "Is it another video?")
                continue
            }
            if let end = span.end, end > length + 1 {
                report("ends at \(end) s, and the file at \(length) s; what is there is used")
            }
            var box: [Double]?
            if let annotated = span.box {
                if let placed = annotated.placed(width: picture.width, height: picture.height) {
                    box = [placed.left, placed.top, placed.right, placed.bottom].map {
                        ($0 * 100).rounded() / 100
                    }
                } else {
                    report(
                        "has a crop box outside the picture of \(picture.width)x"
                            + "\(picture.height); any face in it may be meant")
                }
            }
            spans.append(
                AnnotatedSpan(
                    name: span.name, start: span.start, end: span.end, box: box,
                    attributes: span.attributes.isEmpty ? nil : span.attributes))
        }
        guard !spans.isEmpty else { return nil }
        source.spans = spans
        return source
    }
}
