import Foundation
import Media
import Perception
import Settings

/// Settings of `loopy-measure`. Networks are files, or "embedded" for those that come with Loopy.
public struct MeasureSettings: Codable, Sendable {
    /// Seconds of video in a work unit.
    public var unitSeconds = 60.0
    /// The detector tried first, and the one for small faces: BlazeFace's two forms.
    public var nearDetector = "embedded"
    public var farDetector = "embedded"
    /// FaceMesh; or "dwpose", whose 68 points then take the place of FaceMesh's. Faces are found,
    /// followed and their poses measured by the embedded FaceMesh all the same.
    public var landmarks = "embedded"
    /// Of `landmarks: dwpose`.
    public var dwpose = DWPoseSettings()
    /// Silero VAD.
    public var voiceActivity = "embedded"
    /// SyncNet: a file, the name of a network in Manifests/models.yaml, or "none". Where the name's
    /// file is not there, lip-sync is not measured.
    public var lipSync = Self.publishedSyncNet
    public var limits = MediaLimits()

    public init() {}

    private static let publishedSyncNet = "syncnet"

    /// Files of the networks in use, by role. What is measured without a network is not among them.
    ///
    /// - Throws: `LoopyError` for a setting that is neither a file nor a known name.
    func networks() throws -> [String: String] {
        var files = [
            "near_detector": EmbeddedNetwork.blazeFaceShortRange.path(or: nearDetector),
            "far_detector": EmbeddedNetwork.blazeFaceFullRange.path(or: farDetector),
            "landmarks": EmbeddedNetwork.faceMesh.path(or: isDWPose ? "embedded" : landmarks),
            "voice_activity": EmbeddedNetwork.sileroVAD.path(or: voiceActivity),
        ]
        files["lip_sync"] = try lipSyncFile()
        if isDWPose {
            let pose = try dwpose.files(for: "measure.landmarks")
            (files["person_detector"], files["pose"]) = (pose.detector, pose.pose)
        }
        return files
    }

    var isDWPose: Bool { landmarks == DWPoseSettings.name }

    private func lipSyncFile() throws -> String? {
        if lipSync == "none" { return nil }
        // Without a manifest there is nothing under the usual name, and nothing is wrong.
        if lipSync == Self.publishedSyncNet, (try? ModelManifest.locate()) == nil { return nil }
        return try ModelManifest.resolve(lipSync)
    }
}
