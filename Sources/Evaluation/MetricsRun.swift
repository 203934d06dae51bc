import Curation
import Dataset
import Errors
import Foundation
import Storage

/// `loopy-evaluate`: measures a folder of generated videos, with or without one of references, and
/// writes one report.
///
/// Every video is measured once and what was found is kept beside the output: a run that was killed
/// goes on, and ends with the same report. Features are read back one video at a time, in the order of
/// names, so that memory does not grow with the number of videos.
public final class MetricsRun {
    /// A video and what is known of it.
    struct Video {
        let name: String
        let path: String
        var digest = ""
        /// The name of its part; empty where it failed.
        var partName = ""
        var part = VideoPart()

        var isMeasured: Bool { !partName.isEmpty }
    }

    /// A generated video's reference, and what was found of the two together.
    struct Pair {
        let reference: Video
        let part: VideoPart
    }

    let metrics: [MetricInUse]
    let hasReference: Bool
    let store: PartStore
    private(set) var generated: [Video]
    private(set) var reference: [Video]
    /// The pairs, by the generated video's name.
    private(set) var pairs: [String: Pair] = [:]
    private(set) var failures: [Failure] = []
    private let settings: MetricsSettings
    private let output: String
    private let measurer: VideoMeasurer
    private var partNames: Set<String> = []

    /// - Parameters:
    ///   - generated: the folder of videos; searched to the bottom.
    ///   - reference: videos to compare with; those of the same name but for the extension are pairs.
    ///   - output: the JSON file.
    /// - Throws: `LoopyError` for folders without videos, for settings that cannot be used, and for
    ///   networks that cannot be loaded.
    public init(
        generated: String, reference: String?, output: String, settings: MetricsSettings,
        threads: Int
    ) throws {
        try settings.validate(as: "evaluate")
        self.settings = settings
        self.output = output
        store = PartStore(besides: output)
        hasReference = reference != nil
        self.generated = try Self.videos(in: generated)
        self.reference = try reference.map(Self.videos) ?? []
        metrics = try EvaluationMetrics.all.map { try MetricInUse($0, settings, threads: threads) }
        measurer = try VideoMeasurer(metrics, threads: threads)
    }

    /// The number of videos.
    public var count: Int { generated.count + reference.count }

    private static func videos(in folder: String) throws -> [Video] {
        guard let paths = try? FileManager.default.subpathsOfDirectory(atPath: folder) else {
            throw LoopyError(.missing, "\(folder): there is no such folder")
        }
        let extensions = IngestSettings().extensions
        let names = paths.filter {
            !$0.hasPrefix(".") && !$0.hasSuffix(".partial.mp4")
                && extensions.contains(($0 as NSString).pathExtension.lowercased())
        }
        guard !names.isEmpty else {
            throw LoopyError(
                .missing,
                "\(folder): holds no videos (\(extensions.joined(separator: ", ")))")
        }
        return names.sorted().map { Video(name: $0, path: folder + "/" + $0) }
    }

    /// Measures what is not measured yet, and writes the report. A video that cannot be read or
    /// decoded becomes a failure.
    ///
    /// - Parameter onVideo: called after each video.
    /// - Throws: `LoopyError` `.output`, and what is wrong with a network.
    public func run(onVideo: () -> Void) throws -> MetricsReport {
        for index in generated.indices {
            try measure(&generated[index], as: .generated)
            onVideo()
        }
        for index in reference.indices {
            try measure(&reference[index], as: .reference)
            onVideo()
        }
        try comparePairs()
        let report = try report()
        try JSONLines.writeDocument(report, to: output)
        store.keepOnly(partNames)
        return report
    }

    private func measure(_ video: inout Video, as subject: MetricInUse.Subject) throws {
        do {
            video.digest = try Self.digest(of: video.path)
            let name = try partName(
                video, subject, inputs: [subject.rawValue: video.digest])
            video.part = try part(name) { try measurer.measure(video.path, as: subject) }
            video.partName = name
        } catch let error as LoopyError where error.category.concernsInput {
            failures.append(
                Failure(
                    stage: "evaluate", path: video.path, reason: error.category.rawValue,
                    error: error.message))
        }
    }

    /// SHA-256 of a video's bytes.
    ///
    /// - Throws: `LoopyError` `.unreadable` for a dangling link, a file that may not be read, and what
    ///   is no file: the fault is this video's alone.
    private static func digest(of path: String) throws -> String {
        var information = stat()
        guard stat(path, &information) == 0 else {
            throw LoopyError.system(.unreadable, "opening it", path)
        }
        // A pipe would be waited for without end.
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw LoopyError(.unreadable, "is a folder or a device, and no video file")
        }
        do {
            return try Digest.ofFile(path)
        } catch let error as LoopyError {
            throw LoopyError(.unreadable, error.message)
        }
    }

    private func comparePairs() throws {
        func stem(_ name: String) -> String { (name as NSString).deletingPathExtension }
        let references = Dictionary(
            reference.map { (stem($0.name), $0) }, uniquingKeysWith: { first, _ in first })
        for video in generated where video.isMeasured {
            guard let reference = references[stem(video.name)], reference.isMeasured else {
                continue
            }
            let name = try partName(
                video, .pair,
                inputs: ["generated": video.digest, "reference": reference.digest])
            let part = try part(name) {
                (try measurer.compare(video.path, with: reference.path), [:])
            }
            pairs[video.name] = Pair(reference: reference, part: part)
        }
    }

    /// A part as it is kept; where there is none it is measured and kept.
    private func part(
        _ name: String, _ measure: () throws -> (VideoPart, features: [String: NumPyArray])
    ) throws -> VideoPart {
        if let part = store.part(name) { return part }
        let (part, features) = try measure()
        try store.write(part, features: features, as: name)
        return part
    }

    /// A name for people, and the digest of all that the numbers depend on.
    private func partName(
        _ video: Video, _ subject: MetricInUse.Subject, inputs: [String: String]
    ) throws -> String {
        let fingerprint = try metrics.fingerprint(subject, settings, inputs: inputs)
        let stem = ((video.name as NSString).lastPathComponent as NSString).deletingPathExtension
        let plain = stem.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "-" }
        let name = String(plain.prefix(40)) + "-" + fingerprint.digest.prefix(16)
        partNames.insert(name)
        return name
    }
}
