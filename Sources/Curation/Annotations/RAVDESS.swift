import Foundation

/// RAVDESS has no annotation file: its names are the annotation.
///
/// `MM-VV-EE-II-SS-RR-AA`: modality, vocal channel, emotion, intensity, statement, repetition, actor;
/// as its publication describes them (Livingstone & Russo 2018, doi:10.5281/zenodo.1188976).
package enum RAVDESS {
    private static let skippedModalities = [
        2: "modality 02: the silent copy of a take", 3: "modality 03: sound without a picture",
    ]
    private static let vocals = ["speech", "song"]
    private static let emotions = [
        "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised",
    ]
    private static let intensities = ["normal", "strong"]
    private static let statements = [
        "Kids are talking by the door", "Dogs are sitting by the door",
    ]
    private static let actors = 24

    /// - Parameters:
    ///   - videos: paths of files that are videos by their extensions, in order.
    ///   - others: all other files.
    package static func annotations(videos: [String], others: [String]) -> Annotations {
        var result = Annotations()
        var names: Set<String> = []
        for (path, isVideo) in videos.map({ ($0, true) }) + others.map({ ($0, false) }) {
            let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
            guard let (modality, video) = annotated(name) else { continue }
            if let reason = skippedModalities[modality] {
                result.skipped.append(ImportReport.Skipped(path: path, reason: reason))
            } else if isVideo, names.insert(name).inserted {
                result.videos.append(video)
            }
        }
        result.listed = ImportReport.Counts(result.videos)
        return result
    }

    /// Modality, and what else a name says; nil when it is none of RAVDESS's.
    private static func annotated(_ name: String) -> (modality: Int, AnnotatedVideo)? {
        let fields = name.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = fields.compactMap { field in
            field.count == 2 && field.allSatisfy { $0.isASCII && $0.isNumber } ? Int(field) : nil
        }
        let limits = [
            3, vocals.count, emotions.count, intensities.count, statements.count, 2, actors,
        ]
        guard fields.count == limits.count, numbers.count == limits.count,
            zip(numbers, limits).allSatisfy({ 1...$1 ~= $0 })
        else { return nil }
        let attributes = [
            "vocal": vocals[numbers[1] - 1], "emotion": emotions[numbers[2] - 1],
            "intensity": intensities[numbers[3] - 1], "statement": statements[numbers[4] - 1],
            "repetition": String(numbers[5]),
        ]
        let whole = AnnotatedVideo.Span(name: name, start: 0, end: nil, attributes: attributes)
        return (
            numbers[0],
            AnnotatedVideo(
                name: name, fileNames: [name], identity: "actor-\(fields[6])", spans: [whole])
        )
    }
}
