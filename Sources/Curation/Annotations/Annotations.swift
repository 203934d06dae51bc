import Foundation
import Perception

/// One video of a public dataset, as the dataset's annotations describe it.
package struct AnnotatedVideo: Sendable, Equatable {
    /// A part of the video that is meant to be used.
    package struct Span: Sendable, Equatable {
        package var name: String
        /// Seconds. Without an end it goes on to the video's.
        package var start: Double
        package var end: Double?
        package var box: AnnotatedBox?
        package var attributes: [String: String]

        package init(
            name: String, start: Double, end: Double?, box: AnnotatedBox? = nil,
            attributes: [String: String] = [:]
        ) {
            self.name = name
            self.start = start
            self.end = end
            self.box = box
            self.attributes = attributes
        }

        func overlaps(_ other: Span) -> Bool {
            start < other.end ?? .infinity && other.start < end ?? .infinity
        }
    }

    package var name: String
    /// Names, without extension, that its file may have.
    package var fileNames: [String]
    /// Where it was published; downloaders put this into file names.
    package var youTubeID: String?
    /// Who is seen, or what stands for that.
    package var identity: String
    /// The spans, in order of their starts. A video of which nothing can be used has none.
    package var spans: [Span]

    package init(
        name: String, fileNames: [String], youTubeID: String? = nil, identity: String,
        spans: [Span] = []
    ) {
        self.name = name
        self.fileNames = fileNames
        self.youTubeID = youTubeID
        self.identity = identity
        self.spans = spans
    }
}

/// Where an annotation says that the face is, before the video's size is known.
package enum AnnotatedBox: Sendable, Equatable {
    /// The box is in pixels of a picture of this height.
    case pixels(Box, height: Int)
    /// The box is in shares of width and height, to be cut to a square on its shorter side.
    case shares(Box)

    /// The box in pixels of a picture; nil when it reaches out of the picture.
    package func placed(width: Int, height: Int) -> Box? {
        let (width, height) = (Double(width), Double(height))
        let placed: Box
        switch self {
        case .pixels(let box, let listedHeight):
            let scale = height / Double(listedHeight)
            placed = Box(
                left: box.left * scale, top: box.top * scale, right: box.right * scale,
                bottom: box.bottom * scale)
        case .shares(let box):
            let half = min(box.width * width, box.height * height) / 2
            let centre = Point(box.centre.x * width, box.centre.y * height)
            placed = Box(
                left: centre.x - half, top: centre.y - half, right: centre.x + half,
                bottom: centre.y + half)
        }
        let picture = Box(left: 0, top: 0, right: width, bottom: height)
        // Listed heights are rounded: a pixel more or less is no mistake.
        let inside = placed.intersection(picture).area
        return inside > 0.98 * placed.area ? placed : nil
    }
}

/// Something in the annotations, or between them and a video, that does not fit, and what was done.
public struct AnnotationProblem: Codable, Sendable, Equatable, CustomStringConvertible {
    /// The annotations' file, or the video's.
    public var file: String
    /// The line, counted from 1; nil where lines say nothing, as in JSON.
    public var line: Int?
    public var problem: String

    public init(_ file: String, line: Int? = nil, _ problem: String) {
        self.file = file
        self.line = line
        self.problem = problem
    }

    public var description: String {
        file + (line.map { ", line \($0)" } ?? "") + ": " + problem
    }
}

/// What a public dataset's annotations say, in one form for all of them.
package struct Annotations: Sendable {
    package var videos: [AnnotatedVideo] = []
    /// What the rows count, those that cannot be used among them.
    package var listed = ImportReport.Counts()
    package var problems: [AnnotationProblem] = []
    /// Files that are known not to be wanted.
    package var skipped: [ImportReport.Skipped] = []
}

extension ImportReport.Counts {
    init(_ videos: some Sequence<AnnotatedVideo>) {
        for video in videos where !video.spans.isEmpty {
            self.videos += 1
            spans += video.spans.count
            crops += video.spans.count { $0.box != nil }
        }
    }
}
