import Foundation

/// The networks that come with Loopy: its own, and those that `Scripts/setup.sh` takes from PyPI wheels.
public enum EmbeddedNetwork: String, CaseIterable, Sendable {
    case blazeFaceShortRange = "face_detection_short_range.tflite"
    case blazeFaceFullRange = "face_detection_full_range_sparse.tflite"
    case faceMesh = "face_landmark.tflite"
    case mouthSync = "mouth_sync.safetensors"
    case sileroVAD = "silero_vad_openvino_16k.onnx"

    /// The path of the network's file.
    public var path: String {
        Bundle.module.resourcePath.map { $0 + "/Networks/" + rawValue } ?? rawValue
    }

    /// The path that a setting means: "embedded" stands for this network.
    public func path(or configured: String) -> String {
        configured == "embedded" ? path : configured
    }
}
