import Foundation

/// Which files on disk are which annotated videos.
///
/// A file is known by its name without extension, wherever it lies; or by the identifier that
/// downloaders add to a title: "Title [ID]" and "Title-ID".
package struct AnnotationMatch {
    /// Places in the list of videos, by path.
    package private(set) var videos: [String: Int] = [:]
    /// Names of the videos with something to use that have no file.
    package private(set) var missing: [String] = []
    /// Paths of files that are none of the videos.
    package private(set) var unlisted: [String] = []
    package private(set) var problems: [AnnotationProblem] = []

    /// - Parameter files: paths, in order: of two files of one video the first is taken.
    package init(_ annotated: [AnnotatedVideo], files: [String]) {
        var byName: [String: Int] = [:], byID: [String: Int] = [:]
        for (index, video) in annotated.enumerated() {
            for name in video.fileNames where byName[name] == nil { byName[name] = index }
            if let id = video.youTubeID, byID[id] == nil { byID[id] = index }
        }
        var taken: [Int: String] = [:]
        for path in files {
            let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
            let index = byName[name] ?? Self.identifiers(name).compactMap({ byID[$0] }).first
            guard let index else {
                unlisted.append(path)
                continue
            }
            if let other = taken[index] {
                problems.append(
                    AnnotationProblem(
                        path, "is \(annotated[index].name), as \(other) is; the latter is used"))
                continue
            }
            taken[index] = path
            if !annotated[index].spans.isEmpty { videos[path] = index }
        }
        missing = annotated.indices.filter { taken[$0] == nil && !annotated[$0].spans.isEmpty }
            .map { annotated[$0].name }
    }

    /// What may be a video's identifier in a file's name.
    private static func identifiers(_ name: String) -> [String] {
        let length = 11  // YouTube's
        var found = [name]
        if name.hasSuffix("]"), let bracket = name.lastIndex(of: "[") {
            found.append(String(name[name.index(after: bracket)...].dropLast()))
        }
        if name.count > length, name.dropLast(length).last == "-" {
            found.append(String(name.suffix(length)))
        }
        return found
    }
}
