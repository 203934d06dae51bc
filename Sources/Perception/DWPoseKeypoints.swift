import Errors
import Foundation
import Settings
import Torch

/// Where DWPose's networks are, for `landmarks: dwpose`.
public struct DWPoseSettings: Codable, Sendable {
    /// YOLOX's file, .onnx or TorchScript (.pt); where empty, that of the network `dwpose` in
    /// Manifests/models.yaml.
    public var detector = ""
    /// The pose network's file, likewise.
    public var pose = ""
    /// Where TorchScript networks run: "cpu", "cuda:0". ONNX networks run on the CPU.
    public var device = "cpu"

    public init() {}

    /// The value of a setting `landmarks` that means DWPose, and its name in Manifests/models.yaml.
    public static let name = "dwpose"

    /// The two files.
    ///
    /// - Parameter setting: that asks for them, to be named where something is missing.
    /// - Throws: `LoopyError` `.configuration` where a file is not there, or not for the device;
    ///   `LoopyError` for a device that is not here.
    public func files(for setting: String) throws -> (detector: String, pose: String) {
        let files = try find(setting)
        let onnx = [files.detector, files.pose].first { PictureNetwork.isONNX($0) }
        if try Device(device) != .cpu, let onnx {
            throw LoopyError(
                .configuration,
                "\(setting): \(onnx) is an ONNX network, which runs on the CPU; for \(device) set "
                    + "detector and pose of dwpose to TorchScript networks (.pt)")
        }
        return files
    }

    private func find(_ setting: String) throws -> (detector: String, pose: String) {
        if !detector.isEmpty, !pose.isEmpty {
            return (try existing(detector, setting), try existing(pose, setting))
        }
        let manifest = try ModelManifest.locate()
        let entry = try manifest.entry(named: Self.name)
        let presence = manifest.presence(of: entry)
        guard presence.missing.isEmpty, presence.found.count == 2 else {
            throw missing(
                setting, manifest.location(of: entry),
                "lacks \(presence.missing.joined(separator: " and "))")
        }
        return (
            detector.isEmpty ? presence.found[0] : try existing(detector, setting),
            pose.isEmpty ? presence.found[1] : try existing(pose, setting)
        )
    }

    private func existing(_ path: String, _ setting: String) throws -> String {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw missing(setting, path, "is missing or cannot be read")
        }
        return path
    }

    private func missing(_ setting: String, _ path: String, _ what: String) -> LoopyError {
        LoopyError(
            .configuration,
            "\(setting): \(Self.name) needs two networks, and \(path) \(what); `loopy models` says where "
                + "they are published and where to put them. landmarks: embedded needs none")
    }

    /// The networks, loaded.
    ///
    /// - Parameter threads: processors; 0 for all.
    /// - Throws: what is wrong with the files or the device.
    public func load(
        _ files: (detector: String, pose: String), threads: Int
    ) throws -> DWPose {
        try DWPose(
            files, device: Device(device),
            threads: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount)
    }
}
