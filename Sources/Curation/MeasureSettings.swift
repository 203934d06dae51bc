import Foundation
import Media
import Perception
import Settings

/// Settings of `loopy-measure`. Networks are files, or "embedded" for those that come with Loopy.
public struct MeasureSettings: Sendable {
    /// Seconds of video in a work unit.
    public var unitSeconds = 60.0
    /// The detector tried first, and the one for small faces: BlazeFace's two forms.
    public var nearDetector = "embedded"
    public var farDetector = "embedded"
    /// The key-point network: `landmarks`, and the sections of the networks. A network that looks at
    /// whole pictures (DWPose) gives its points to faces that the embedded FaceMesh finds and follows;
    /// poses are measured by FaceMesh all the same.
    public var keypoints = KeypointChoice()
    /// Silero VAD.
    public var voiceActivity = "embedded"
    /// SyncNet: a file, the name of a network in Manifests/models.yaml, or "none". Where the name's
    /// file is not there, lip-sync is not measured.
    public var lipSync = Self.publishedSyncNet
    public var limits = MediaLimits()

    public init() {}

    private static let publishedSyncNet = "syncnet"

    /// The files of the networks in use, by role. What is measured without a network is not among them.
    ///
    /// - Throws: `LoopyError` for a setting that is neither a file nor a known name.
    func networks() throws -> [String: String] {
        var files = [
            "near_detector": EmbeddedNetwork.blazeFaceShortRange.path(or: nearDetector),
            "far_detector": EmbeddedNetwork.blazeFaceFullRange.path(or: farDetector),
            "voice_activity": EmbeddedNetwork.sileroVAD.path(or: voiceActivity),
        ]
        files["lip_sync"] = try lipSyncFile()
        return files.merging(try keypointNetworks().files) { $1 }
    }

    /// - Parameter threads: processors; 0 for all.
    func keypointNetworks(threads: Int = 0) throws -> MeasuringKeypoints {
        try keypoints.forMeasuring(setting: "measure.landmarks", threads: threads)
    }

    private func lipSyncFile() throws -> String? {
        if lipSync == "none" { return nil }
        // Without a manifest there is nothing under the usual name, and nothing is wrong.
        if lipSync == Self.publishedSyncNet, (try? ModelManifest.locate()) == nil { return nil }
        return try ModelManifest.resolve(lipSync)
    }
}

/// The choice of the key-point network stands beside the other settings, in the same section.
extension MeasureSettings: Codable {
    private enum CodingKeys: CodingKey {
        case unitSeconds, nearDetector, farDetector, voiceActivity, lipSync, limits
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        unitSeconds = try values.decode(Double.self, forKey: .unitSeconds)
        nearDetector = try values.decode(String.self, forKey: .nearDetector)
        farDetector = try values.decode(String.self, forKey: .farDetector)
        keypoints = try KeypointChoice(from: decoder)
        voiceActivity = try values.decode(String.self, forKey: .voiceActivity)
        lipSync = try values.decode(String.self, forKey: .lipSync)
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
        try values.encode(limits, forKey: .limits)
    }
}
