import Media
import Torch

/// DWPose (Yang et al. 2023): finds persons by YOLOX, then the 133 points of each, of which it keeps
/// the face's 68. Belongs to one thread at a time.
///
/// Reference: rtmlib 0.0.16, `Wholebody`.
public final class DWPose: WholePictureNetwork {
    private let detector: PersonDetector
    private let network: PoseNetwork
    private let converter = RGBConverter()

    public let batch = 10

    /// - Parameters:
    ///   - detector: the path of YOLOX, .onnx or TorchScript (.pt); `pose` likewise.
    ///   - device: where TorchScript networks run.
    ///   - threads: processors that an ONNX network may use.
    /// - Throws: `LoopyError` that names the file.
    public init(
        detector: String, pose: String, device: Device = .cpu, threads: Int = 1
    ) throws {
        self.detector = try PersonDetector(path: detector, device: device, threads: threads)
        network = try PoseNetwork(path: pose, device: device, threads: threads)
    }

    /// The faces of some pictures: one of each person. Where no person is found, the picture as a whole
    /// is taken for one.
    ///
    /// - Throws: `LoopyError` for a picture that cannot be converted, and for files that hold other
    ///   networks.
    public func faces(in frames: [VideoFrame]) throws -> [[FacePoints]] {
        var crops: [PoseNetwork.Crop] = []
        var counts: [Int] = []
        for frame in frames {
            let picture = try RGBPicture(frame, converter)
            var boxes = try detector.detect(in: picture).map(\.box)
            if boxes.isEmpty {
                boxes = [
                    .init(
                        left: 0, top: 0, right: Float(picture.width), bottom: Float(picture.height))
                ]
            }
            crops += boxes.map { network.crop(picture, around: $0) }
            counts.append(boxes.count)
        }
        var faces = try network.faces(crops)[...]
        return counts.map { count in
            defer { faces = faces.dropFirst(count) }
            return Array(faces.prefix(count))
        }
    }
}
