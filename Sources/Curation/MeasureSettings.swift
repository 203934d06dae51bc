import Errors
import Foundation
import Media
import Perception
import Settings

/// Settings of `loopy-measure`. Networks are files, or "embedded" for those that come with Loopy.
public struct MeasureSettings: DescribedSettings {
    public var unitSeconds = 60.0
    public var nearDetector = "embedded"
    public var farDetector = "embedded"
    /// The key-point network: `landmarks`, and the sections of the networks. A network that looks at
    /// whole pictures (DWPose) gives its points to faces that the embedded FaceMesh finds and follows;
    /// poses are measured by FaceMesh all the same.
    public var keypoints = KeypointChoice()
    public var voiceActivity = "embedded"
    public var lipSync = "embedded"
    public var identity = "none"
    /// Networks of the user's, by the names of their metrics.
    public var networks: [String: NetworkMetricSettings] = [:]
    public var limits = MediaLimits()

    public init() {}

    public static var settings: [Setting<MeasureSettings>] {
        [
            .number(
                "unit_seconds", \.unitSeconds, in: 0.2...1e6, unit: "s",
                "The time of video in a work unit: longer sources are shared out in pieces."),
            .text(
                "near_detector", \.nearDetector, "a file, or embedded",
                "The face detector that is tried first: BlazeFace, short range."),
            .text(
                "far_detector", \.farDetector, "a file, or embedded",
                "The face detector for small faces: BlazeFace, full range."),
            .inlined(\.keypoints),
            .text(
                "voice_activity", \.voiceActivity, "a file, or embedded",
                "The network that hears speech: Silero VAD."),
            .text(
                "lip_sync", \.lipSync, LipSyncChoice.allowed + ", or none",
                "The network that measures lip-sync: Loopy's own (`sync_*`; a file of its weights ends in "
                    + ".safetensors), or SyncNet (`syncnet_*`)."),
            .text(
                "identity", \.identity, "a file, dlib-face, or none",
                "The network that says who a face is, so that clips of one person are found and never parted "
                    + "(.onnx): dlib's, which `Scripts/setup.sh faces` makes, or one that takes faces as ArcFace "
                    + "does."),
            .named("networks", \.networks),
            .group("limits", \.limits),
        ]
    }

    public var conflict: String? {
        for name in networks.keys.sorted() {
            if name.wholeMatch(of: /[a-z][a-z0-9_]*/) == nil {
                return "networks.\(name): is no name for a metric: small letters, digits and _"
            }
            if Metric.byName[name] != nil {
                return
                    "networks.\(name): is a metric that Loopy measures itself; choose another name"
            }
        }
        return nil
    }

    /// The metrics of the networks that the user named, in the order of their names.
    public var networkMetrics: [Metric] {
        networks.sorted { $0.key < $1.key }.map { Metric.network($0, $1.pooling) }
    }

    /// The roles of the two networks that measure lip-sync.
    static let mouthSyncRole = "lip_sync", syncNetRole = "syncnet"
    /// The role of the network that says who a face is.
    static let identityRole = "identity"

    /// The role of a network that the user named.
    static func role(of name: String) -> String { "networks." + name }

    /// The files of the networks in use, by role. What is measured without a network is not among them.
    ///
    /// - Throws: `LoopyError` for a setting that is neither a file nor a known name.
    func networkFiles() throws -> [String: String] {
        var files = [
            "near_detector": EmbeddedNetwork.blazeFaceShortRange.path(or: nearDetector),
            "far_detector": EmbeddedNetwork.blazeFaceFullRange.path(or: farDetector),
            "voice_activity": EmbeddedNetwork.sileroVAD.path(or: voiceActivity),
        ]
        if lipSync != "none" {
            switch try LipSyncChoice(lipSync, of: "measure.lip_sync") {
            case .mouthSync(let file): files[Self.mouthSyncRole] = file
            case .syncNet(let file): files[Self.syncNetRole] = file
            }
        }
        if identity != "none" {
            guard let file = try ModelManifest.resolve(identity) else {
                throw LoopyError(
                    .configuration,
                    "measure.identity is \(identity), whose file is not here: `Scripts/setup.sh faces` makes "
                        + "dlib-face; none needs none")
            }
            files[Self.identityRole] = file
        }
        for (name, network) in networks {
            guard FileManager.default.isReadableFile(atPath: network.file) else {
                throw LoopyError(
                    .configuration,
                    "measure.networks.\(name).file: \(network.file) is missing or cannot be read")
            }
            files[Self.role(of: name)] = network.file
        }
        return files.merging(try keypointNetworks().files) { $1 }
    }

    /// Whether libtorch runs networks that gain from more than one thread: SyncNet, or those of the user. Others are
    /// small, or OpenVINO's.
    public var needsTorchThreads: Bool {
        get throws { try !networks.isEmpty || networkFiles()[Self.syncNetRole] != nil }
    }

    /// - Parameter threads: processors; 0 for all.
    func keypointNetworks(threads: Int = 0) throws -> MeasuringKeypoints {
        try keypoints.forMeasuring(setting: "measure.landmarks", threads: threads)
    }
}

/// The choice of the key-point network stands beside the other settings, in the same section.
extension MeasureSettings {
    private enum CodingKeys: CodingKey {
        case unitSeconds, nearDetector, farDetector, voiceActivity, lipSync, identity, networks,
            limits
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        unitSeconds = try values.decode(Double.self, forKey: .unitSeconds)
        nearDetector = try values.decode(String.self, forKey: .nearDetector)
        farDetector = try values.decode(String.self, forKey: .farDetector)
        keypoints = try KeypointChoice(from: decoder)
        voiceActivity = try values.decode(String.self, forKey: .voiceActivity)
        lipSync = try values.decode(String.self, forKey: .lipSync)
        identity = try values.decode(String.self, forKey: .identity)
        networks = try values.decode([String: NetworkMetricSettings].self, forKey: .networks)
        limits = try values.decode(MediaLimits.self, forKey: .limits)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(unitSeconds, forKey: .unitSeconds)
        try values.encode(nearDetector, forKey: .nearDetector)
        try values.encode(farDetector, forKey: .farDetector)
        try keypoints.encode(to: encoder)
        try values.encode(voiceActivity, forKey: .voiceActivity)
        try values.encode(lipSync, forKey: .lipSync)
        try values.encode(identity, forKey: .identity)
        try values.encode(networks, forKey: .networks)
        try values.encode(limits, forKey: .limits)
    }
}
