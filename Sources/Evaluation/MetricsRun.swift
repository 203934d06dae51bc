import Curation
import Dataset
import Errors
import Foundation
import Media
import Storage
import Torch

/// `loopy-evaluate`: a folder of generated videos, with or without one of references, to one report.
///
/// Every video is measured once and what was found is kept beside the output: a run that was killed
/// goes on, and ends with the same report. Features are read back one video at a time, in the order of
/// names, so that memory does not grow with the number of videos.
public final class MetricsRun {
    private typealias Role = VideoMeasurer.Role

    /// A video and what is known of it.
    fileprivate struct Video {
        let name: String
        let path: String
        var digest = ""
        /// Of its part; empty where it failed.
        var partName = ""
        var part = VideoPart()
    }

    private let settings: MetricsSettings
    private let output: String
    private let absent: [String: String]
    private let measurer: VideoMeasurer
    private let store: PartStore
    private var videos: [VideoMeasurer.Role: [Video]] = [:]
    private let hasReference: Bool
    private var failures: [Failure] = []
    private var partNames: Set<String> = []
    /// Raised whenever the same settings measure something else.
    private static let version = 1

    /// - Parameters:
    ///   - generated: the folder of videos; searched to the bottom.
    ///   - reference: videos to compare with; those of the same name but for the extension are pairs.
    ///   - output: the JSON file.
    /// - Throws: `LoopyError` for folders without videos and settings that cannot be used; what is
    ///   wrong with a network.
    public init(
        generated: String, reference: String?, output: String, settings: MetricsSettings,
        threads: Int
    ) throws {
        self.settings = settings
        self.output = output
        store = PartStore(besides: output)
        hasReference = reference != nil
        videos[.generated] = try Self.videos(in: generated)
        videos[.reference] = try reference.map(Self.videos) ?? []
        let networks = try settings.networks()
        absent = networks.absent
        measurer = try VideoMeasurer(settings, files: networks.files, threads: threads)
    }

    public var count: Int { videos.values.reduce(0) { $0 + $1.count } }

    private static func videos(in folder: String) throws -> [Video] {
        guard let paths = try? FileManager.default.subpathsOfDirectory(atPath: folder) else {
            throw LoopyError(.missing, "\(folder): there is no such folder")
        }
        let extensions = IngestSettings().extensions
        let names = paths.filter {
            !$0.hasPrefix(".") && extensions.contains(($0 as NSString).pathExtension.lowercased())
        }
        guard !names.isEmpty else {
            throw LoopyError(
                .missing,
                "\(folder): holds no videos (\(extensions.joined(separator: ", ")))")
        }
        return names.sorted().map { Video(name: $0, path: folder + "/" + $0) }
    }

    /// Measures what is not measured yet, and writes the report.
    ///
    /// - Parameter onVideo: called after each video.
    /// - Throws: what is wrong with a network; `LoopyError` `.output`. A video that cannot be decoded
    ///   becomes a failure.
    public func run(onVideo: () -> Void) throws -> MetricsReport {
        for role in [Role.generated, .reference] {
            for index in (videos[role] ?? []).indices {
                try measure(&videos[role]![index], as: role)  // the index is of this array
                onVideo()
            }
        }
        let pairs = try comparePairs()
        let report = try report(pairs)
        try JSONLines.writeDocument(report, to: output)
        store.keepOnly(partNames)
        return report
    }

    private func measure(_ video: inout Video, as role: Role) throws {
        do {
            video.digest = try Self.digest(of: video.path)
            let name = try partName(
                video, role.rawValue, inputs: [role.rawValue: video.digest],
                files: measurer.digests(role))
            video.part =
                try store.part(name)
                ?? {
                    let (part, features) = try measurer.measure(video.path, as: role)
                    try store.write(part, features: features, as: name)
                    return part
                }()
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

    /// PSNR and SSIM, by the generated videos' names; and which reference is whose.
    private func comparePairs() throws -> [String: (reference: Video, part: VideoPart)] {
        func stem(_ name: String) -> String { (name as NSString).deletingPathExtension }
        let references = Dictionary(
            (videos[.reference] ?? []).map { (stem($0.name), $0) },
            uniquingKeysWith: { first, _ in first })
        var pairs: [String: (reference: Video, part: VideoPart)] = [:]
        for video in videos[.generated] ?? [] where !video.partName.isEmpty {
            guard let reference = references[stem(video.name)], !reference.partName.isEmpty else {
                continue
            }
            let name = try partName(
                video, "pair",
                inputs: ["generated": video.digest, "reference": reference.digest], files: [:])
            let part =
                try store.part(name)
                ?? {
                    let part = try measurer.compare(video.path, with: reference.path)
                    try store.write(part, features: [:], as: name)
                    return part
                }()
            pairs[video.name] = (reference, part)
        }
        return pairs
    }

    /// A name for people, and the digest of all that the numbers depend on.
    private func partName(
        _ video: Video, _ what: String, inputs: [String: String], files: [String: String]
    ) throws -> String {
        let fingerprint = try Fingerprint(
            name: "evaluate \(what)", version: Self.version, configuration: settings.numbers,
            files: files, inputs: inputs)
        let stem = ((video.name as NSString).lastPathComponent as NSString).deletingPathExtension
        let plain = stem.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "-" }
        let name = String(plain.prefix(40)) + "-" + fingerprint.digest.prefix(16)
        partNames.insert(name)
        return name
    }
}

// MARK: - The report

extension MetricsRun {
    private func report(
        _ pairs: [String: (reference: Video, part: VideoPart)]
    ) throws -> MetricsReport {
        var report = MetricsReport()
        report.failures = failures
        for video in videos[.generated] ?? [] where !video.partName.isEmpty {
            var clip = MetricsReport.Clip(video)
            if let (reference, part) = pairs[video.name] {
                clip.add(part)
                clip.addDifference("dglo", of: "glo", to: reference.part)
                clip.addDifference("dexp", of: "exp", to: reference.part)
            } else if hasReference {
                for metric in ["psnr", "ssim", "dglo", "dexp"] {
                    clip.absent[metric] = "there is no reference of its name that can be read"
                }
            }
            report.generated.append(clip)
        }
        for video in videos[.reference] ?? [] where !video.partName.isEmpty {
            report.reference.append(MetricsReport.Clip(video))
        }
        for metric in MetricName.allCases {
            report.metrics[metric.rawValue] = try figure(metric, report.generated)
        }
        return report
    }

    private func figure(
        _ metric: MetricName, _ clips: [MetricsReport.Clip]
    ) throws -> MetricsReport.Figure {
        let network = metric.role.flatMap { measurer.networks[$0] }
        var figure = MetricsReport.Figure(
            protocolName: metric.protocolName(settings, network))
        if let role = metric.role {
            figure.reason = absent[role]
            figure.network = measurer.fileName(role)
            figure.digest = measurer.digests(.generated)[role]
        }
        if metric.needsReference, !hasReference { figure.reason = "no references: --reference" }
        guard figure.reason == nil else { return figure }
        if [.fid, .fvd, .efid].contains(metric) {
            try distance(metric.rawValue, into: &figure)
        } else {
            let values = clips.compactMap { $0.values[metric.rawValue] }
            figure.clips = values.count
            figure.frames = values.reduce(0) { $0 + $1.frames }
            if !values.isEmpty {
                figure.value = values.reduce(0) { $0 + $1.value } / Double(values.count)
            }
        }
        if figure.value == nil {
            figure.reason = figure.reason ?? "none of the \(clips.count) videos has it"
        }
        return figure
    }

    private func distance(_ metric: String, into figure: inout MetricsReport.Figure) throws {
        let generated = try statistics(metric, .generated)
        let reference = try statistics(metric, .reference)
        (figure.clips, figure.frames) = (generated.clips, generated.frames)
        (figure.referenceClips, figure.referenceFrames) = (reference.clips, reference.frames)
        guard let a = generated.statistics, let b = reference.statistics else { return }
        figure.value = a.frechetDistance(to: b)
        if figure.value == nil { figure.reason = "a covariance needs two samples on either side" }
    }

    /// Over the features of all videos, one after the other.
    private func statistics(
        _ metric: String, _ role: Role
    ) throws -> (statistics: FeatureStatistics?, clips: Int, frames: Int) {
        var result: FeatureStatistics?
        var clips = 0, frames = 0
        for video in videos[role] ?? [] {
            guard let measured = video.part.features[metric] else { continue }
            let features = try store.features(video.partName, metric)
            var statistics = result ?? FeatureStatistics(length: features.length(1))
            guard statistics.length == features.length(1) else {
                throw LoopyError(
                    .malformed,
                    "\(video.path): has \(features.length(1)) features of \(metric), and others "
                        + "\(statistics.length); is the network one of fixed output?")
            }
            statistics.add(features)
            result = statistics
            clips += 1
            frames += measured
        }
        return (result, clips, frames)
    }
}

extension MetricsReport.Clip {
    fileprivate init(_ video: MetricsRun.Video) {
        self.init(
            video: video.name, digest: video.digest, frames: video.part.frames, values: [:],
            absent: [:])
        add(video.part)
    }

    fileprivate mutating func add(_ part: VideoPart) {
        for (metric, value) in part.values {
            values[metric] = Value(value: value.value, frames: value.frames)
        }
        absent.merge(part.absent) { first, _ in first }
    }

    /// The distance of a value from the reference's.
    fileprivate mutating func addDifference(
        _ name: String, of metric: String, to reference: VideoPart
    ) {
        if let own = values[metric], let other = reference.values[metric] {
            values[name] = Value(
                value: abs(own.value - other.value), frames: min(own.frames, other.frames))
        } else {
            absent[name] = absent[metric] ?? reference.absent[metric] ?? "is not measured"
        }
    }
}
