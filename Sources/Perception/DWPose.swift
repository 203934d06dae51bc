import Media
import Torch

/// A person's face as a pose network sees it.
public struct PoseFace: Sendable {
    /// The 68 points of the iBUG layout, in pixels of the upright picture, counted from the centre of
    /// its first pixel, as rtmlib gives them.
    public var points: [Point]
    /// How sure each is: about 0...1, and 0 or less where it is not seen.
    public var confidences: [Float]

    public init(points: [Point], confidences: [Float]) {
        (self.points, self.confidences) = (points, confidences)
    }

    /// Around the points.
    public var box: Box { Box(around: points) }

    /// How much it is the face that a picture is about: large, and seen. Points of a head that is
    /// turned away are scattered widely, but none is sure.
    var weight: Double {
        box.area * Double(confidences.reduce(0) { $0 + max(0, $1) }) / Double(confidences.count)
    }
}

/// DWPose (Yang et al. 2023): persons by YOLOX, then the 133 points of each, of which the face's 68
/// are kept. Belongs to one thread at a time.
///
/// Reference: rtmlib 0.0.16, `Wholebody`.
public final class DWPose {
    private let detector: PersonDetector
    private let network: PoseNetwork
    private let converter = RGBConverter()

    /// Pictures that are worth giving at once.
    public static let batch = 10

    /// - Parameter files: paths of the two networks, .onnx or TorchScript (.pt).
    /// - Throws: `LoopyError` or `LoopyError` that names the file.
    public init(
        _ files: (detector: String, pose: String), device: Device = .cpu, threads: Int = 1
    ) throws {
        detector = try PersonDetector(path: files.detector, device: device, threads: threads)
        network = try PoseNetwork(path: files.pose, device: device, threads: threads)
    }

    /// The faces of some pictures: one of each person. Where no person is found, the picture as a whole
    /// is taken for one.
    ///
    /// - Throws: `LoopyError` for a picture that cannot be converted; `LoopyError` or `LoopyError`
    ///   for networks that are others.
    public func faces(in frames: [VideoFrame]) throws -> [[PoseFace]] {
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

    /// The face that a picture is about, of those in it: the largest, by area times mean confidence. A
    /// crop is cut to its speaker's size, so whoever else is in it is smaller.
    ///
    /// - Returns: nil where no point of any face is seen.
    public static func main(of faces: [PoseFace]) -> PoseFace? {
        faces.max { $0.weight < $1.weight }.flatMap {
            $0.confidences.contains { $0 > 0 } ? $0 : nil
        }
    }
}
