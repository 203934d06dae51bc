import Settings
import Torch

/// DWPose as a key-point network: its settings, for `landmarks: dwpose`.
public struct DWPoseKeypoints: KeypointNetwork, DescribedSettings {
    public var detector = ""
    public var pose = ""
    public var device = "cpu"

    public init() {}

    public static var settings: [Setting<DWPoseKeypoints>] {
        [
            .text(
                "detector", \.detector, "a file", mayBeEmpty: true,
                "The file of YOLOX, .onnx or TorchScript (.pt); where it is empty, that of the network "
                    + "dwpose in Manifests/models.yaml."),
            .text(
                "pose", \.pose, "a file", mayBeEmpty: true,
                "The file of the pose network, likewise."),
            .device(
                "device", \.device,
                "The device on which TorchScript networks run; ONNX networks run on the CPU."),
        ]
    }

    public static let name = "dwpose"
    public static let version = 1

    public func files(for setting: String) throws -> [String: String] {
        try locate(["detector": detector, "pose": pose], device: device, for: setting)
    }

    /// Measuring has detectors of faces, too; this one finds persons.
    public static func measuringRole(_ role: String) -> String {
        role == "detector" ? "person_detector" : role
    }

    public var input: KeypointInput {
        .wholePictures { files, threads in
            try DWPose(
                detector: files["detector"] ?? "", pose: files["pose"] ?? "",
                device: Device(device), threads: threads)
        }
    }
}
