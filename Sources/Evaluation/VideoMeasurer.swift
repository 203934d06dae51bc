import Errors
import Foundation
import Media
import Perception
import Storage
import Torch

/// Measures one video at a time, and pairs of them.
final class VideoMeasurer {
    enum Role: String {
        case generated, reference
    }

    /// By role, those that are here.
    let networks: [String: MetricNetwork]
    private let files: [String: String]
    private let sync: SyncEvaluation?
    private let settings: MetricsSettings
    let threads: Int
    private let follower: FaceFollower

    /// Frames of a clip that I3D and the network for smoothness see.
    static let clipFrames = 16
    /// The square around a face's box that E-FID's network sees, over its longer side.
    static let faceScale = 1.5

    /// - Parameter files: of the networks, by role.
    /// - Throws: for networks that cannot be loaded.
    init(_ settings: MetricsSettings, files: [String: String], threads: Int) throws {
        self.settings = settings
        self.files = files
        self.threads = threads
        var networks: [String: MetricNetwork] = [:]
        for (role, file) in files where role != "sync" {
            networks[role] = try MetricNetwork(file, device: settings.device, threads: threads)
        }
        self.networks = networks
        sync = try files["sync"].map { try SyncEvaluation(weights: $0, threads: threads) }
        follower = try FaceFollower()
    }

    /// Of all networks that measure videos of a role, by role.
    func digests(_ role: Role) -> [String: String] {
        var digests = networks.mapValues(\.digest)
        if let sync { digests["sync"] = sync.digest }
        guard role == .reference else { return digests }
        return digests.filter { ["fid", "fvd", "efid"].contains($0.key) }
    }

    /// Of a network that is here.
    func fileName(_ role: String) -> String? {
        files[role].map { ($0 as NSString).lastPathComponent }
    }

    /// - Returns: the part, and features `[N, C]` by metric.
    /// - Throws: `LoopyError` when the video cannot be decoded; what is wrong with a network.
    func measure(_ path: String, as role: Role) throws -> (VideoPart, [String: NumPyArray]) {
        let probe = try MediaProbe(path: path)
        var part = VideoPart(frames: probe.video.gridFrames)
        var features = FeatureTable()
        try look(path, probe, role, &part, &features)
        let reader = try VideoReader(path: path, clock: probe.video.clock, threads: threads)
        let face = try follower.longestFace(in: reader)
        try watch(path, probe, face, role, &part, &features)
        for metric in features.metrics {
            do {
                try features.check(metric, of: path)
            } catch let error as LoopyError where error.category.concernsInput {
                part.absent[metric] = Self.reason(error.message, path)
                part.features[metric] = nil
                features.remove(metric)
            }
        }
        return (part, features.arrays)
    }

    /// Without the file's name: a part is the same wherever its video lies.
    private static func reason(_ message: String, _ path: String) -> String {
        message.hasPrefix(path + ": ") ? String(message.dropFirst(path.count + 2)) : message
    }

    // MARK: Whole pictures

    /// FID, FVD, IQA and smoothness: one pass over the pictures.
    private func look(
        _ path: String, _ probe: MediaProbe, _ role: Role, _ part: inout VideoPart,
        _ features: inout FeatureTable
    ) throws {
        let fid = networks["fid"], fvd = networks["fvd"]
        let iqa = role == .generated ? networks["iqa"] : nil
        let smoothness = role == .generated ? networks["smoothness"] : nil
        guard [fid, fvd, iqa, smoothness].contains(where: { $0 != nil }) else { return }
        let pictures = try Pictures(path, clock: probe.video.clock, threads: threads)
        defer { pictures.cancel() }
        var qualities: [Double] = [], motions: [Double] = []
        var clip: [Tensor] = [], smoothClip: [Tensor] = []
        var index = 0
        while let picture = try pictures.next() {
            if index % settings.pictureStep == 0 {
                if let fid { features.append(try Self.inception(fid, picture), to: "fid") }
                if let iqa {
                    let input = PicturePreparation.unit(picture, side: settings.iqaSide)
                    qualities.append(try Self.score(iqa, input))
                }
            }
            index += 1
            if fvd != nil { clip.append(PicturePreparation.forI3D(picture)) }
            if smoothness != nil {
                smoothClip.append(
                    PicturePreparation.unit(picture, side: settings.smoothnessSide)[0])
            }
            if let fvd, clip.count == Self.clipFrames {
                features.append(try Self.i3d(fvd, clip), to: "fvd")
                clip.removeAll()
            }
            if let smoothness, smoothClip.count == Self.clipFrames {
                motions.append(
                    try Self.score(smoothness, stacked(smoothClip, along: 1).unsqueezed(0)))
                smoothClip.removeAll()
            }
        }
        part.features["fid"] = features.rows("fid")
        part.features["fvd"] = features.rows("fvd").map { $0 * Self.clipFrames }
        if fvd != nil, part.features["fvd"] == nil {
            part.absent["fvd"] = Self.tooShort(index)
        }
        if iqa != nil { part.set("iqa", mean: qualities, frames: qualities.count) }
        if smoothness != nil {
            if motions.isEmpty {
                part.absent["smoothness"] = Self.tooShort(index)
            } else {
                part.set(
                    "smoothness", mean: motions, frames: motions.count * Self.clipFrames)
            }
        }
    }

    private static func tooShort(_ frames: Int) -> String {
        "has \(frames) frames, and a clip needs \(clipFrames)"
    }

    /// The published Inception takes bytes at any size, and resizes as TensorFlow's did; others are given
    /// what pytorch-fid gives its own.
    private static func inception(_ network: MetricNetwork, _ picture: Tensor) throws -> [Float] {
        network.returnsFeatures
            ? try network(picture.unsqueezed(0), flags: ["return_features": true])
            : try network(PicturePreparation.unit(picture, side: 299))
    }

    private static func i3d(_ network: MetricNetwork, _ clip: [Tensor]) throws -> [Float] {
        let input = stacked(clip, along: 1).unsqueezed(0)
        return network.returnsFeatures
            ? try network(
                input, flags: ["rescale": false, "resize": false, "return_features": true])
            : try network(input)
    }

    private static func score(_ network: MetricNetwork, _ input: Tensor) throws -> Double {
        let values = try network(input)
        guard values.count == 1 else {
            throw LoopyError(
                .configuration,
                "\(network.file): gives \(values.count) numbers for \(input.shape), and a score is "
                    + "one; is it the network it should be?")
        }
        return Double(values[0])
    }

    // MARK: The face

    /// Glo, Exp, E-FID and lip-sync: of the face that fills most of the video.
    private func watch(
        _ path: String, _ probe: MediaProbe, _ face: FollowedFace?, _ role: Role,
        _ part: inout VideoPart, _ features: inout FeatureTable
    ) throws {
        let isScored = role == .generated && sync != nil
        guard let face else {
            var metrics = Self.motionMetrics
            if networks["efid"] != nil { metrics.append("efid") }
            if isScored { metrics += ["sync_c", "sync_d"] }
            for metric in metrics { part.absent[metric] = "no face is seen in it" }
            return
        }
        do {
            let motion = try MotionEvaluation.report(
                path, probe: probe, face: face, threads: threads)
            part.values["glo"] = .init(value: motion.glo, frames: motion.frames)
            part.values["exp"] = .init(value: motion.exp, frames: motion.frames)
            if let steady = motion.stabilised {
                let frames = min(motion.frames, steady.windows + MotionVariance.window - 1)
                part.values["glo_stabilised"] = .init(value: steady.glo, frames: frames)
                part.values["exp_stabilised"] = .init(value: steady.exp, frames: frames)
            } else {
                let reason = "shows too little behind the person to see the camera move"
                part.absent["glo_stabilised"] = reason
                part.absent["exp_stabilised"] = reason
            }
        } catch let error as LoopyError where error.category.concernsInput {
            for metric in Self.motionMetrics {
                part.absent[metric] = Self.reason(error.message, path)
            }
        }
        if let network = networks["efid"] {
            try coefficients(network, path, probe, face, &features)
            part.features["efid"] = features.rows("efid")
        }
        guard isScored, let sync else { return }
        func absent(_ reason: String) {
            part.absent["sync_c"] = reason
            part.absent["sync_d"] = reason
        }
        do {
            let score = try sync.report(path, .faceCrop, probe: probe, face: face)
            part.values["sync_c"] = .init(value: score.score.confidence, frames: score.frames)
            part.values["sync_d"] = .init(value: score.score.distance, frames: score.frames)
        } catch let error as LoopyError where error.category.concernsInput {
            absent(Self.reason(error.message, path))
        }
    }

    private static let motionMetrics = ["glo", "exp", "glo_stabilised", "exp_stabilised"]

    private func coefficients(
        _ network: MetricNetwork, _ path: String, _ probe: MediaProbe, _ face: FollowedFace,
        _ features: inout FeatureTable
    ) throws {
        let pictures = FramePrefetcher(
            try VideoReader(
                path: path, clock: probe.video.clock,
                range: face.start..<(face.start + face.moments.count), threads: threads))
        defer { pictures.cancel() }
        let side = settings.efidSide
        let rows = Tensor.empty([side, side, 3])
        while let picture = try pictures.next() {
            let moment = face.moments[picture.index - face.start]
            guard picture.index % settings.pictureStep == 0, moment.isSeen else { continue }
            let region = FaceRegion(around: moment.box, angle: 0, scale: Self.faceScale)
            rows.withMutableElements(of: Float.self) {
                picture.frame.sample(
                    region.map(size: side), width: side, height: side, scale: 1 / 255, into: $0)
            }
            features.append(
                try network(rows.permuted(2, 0, 1).unsqueezed(0).contiguous()), to: "efid")
        }
    }
}
