import Torch

/// DWPose as a key-point network: its settings, for `landmarks: dwpose`.
public struct DWPoseKeypoints: KeypointNetwork, Codable {
    /// The file of YOLOX, .onnx or TorchScript (.pt). Where it is empty, the file of the network
    /// `dwpose` in Manifests/models.yaml is taken.
    public var detector = ""
    /// The file of the pose network, likewise.
    public var pose = ""
    /// The device on which TorchScript networks run: "cpu", "cuda:0". ONNX networks run on the CPU.
    public var device = "cpu"

    public init() {}

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
