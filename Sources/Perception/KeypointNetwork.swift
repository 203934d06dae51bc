import Media
import Settings

/// A key-point network that settings choose with `landmarks: NAME`. It finds the 68 iBUG points of
/// faces, in clips (the column `keypoints`) and when sources are measured.
///
/// The stored properties of a conforming type are its settings. Where the type is
/// `DescribedSettings`, they stand in a section called NAME beside `landmarks`.
public protocol KeypointNetwork: Sendable {
    /// The value of `landmarks` that chooses the network, and its name in Manifests/models.yaml.
    static var name: String { get }
    /// A number that is raised whenever the same files and settings find other points.
    static var version: Int { get }

    /// The files of the network (often of a detector too), by role. Fingerprints hold their digests.
    ///
    /// - Parameter setting: the setting that asks for the files, for messages.
    /// - Throws: `LoopyError` where a file is not there or cannot be used.
    func files(for setting: String) throws -> [String: String]

    /// The settings beside the files that change the points. Fingerprints hold them.
    var configuration: [String: String] { get }

    /// The role of a file among all networks of measuring, which have roles of their own:
    /// `near_detector`, `far_detector`, `landmarks`, `voice_activity`, `lip_sync`, `identity`.
    static func measuringRole(_ role: String) -> String

    /// What the network looks at, and how it is loaded.
    var input: KeypointInput { get }
}

extension KeypointNetwork {
    public var configuration: [String: String] { [:] }
    public static func measuringRole(_ role: String) -> String { role }
}

/// Every key-point network that can be chosen. A new one is added here.
public enum KeypointNetworks {
    public static let all: [any KeypointNetwork] = [FaceMeshKeypoints(), DWPoseKeypoints()]
}

/// What a key-point network looks at; how it is used follows from that.
public enum KeypointInput {
    /// The region of one face, known from a detector or from the picture before. In a clip the
    /// network follows the largest face; when measuring, it is the one that follows all faces.
    case faceRegion(load: (_ files: [String: String]) throws -> any LandmarkNetwork)

    /// Whole pictures, several at a time. In a clip the main face of each picture counts; when
    /// measuring, the embedded FaceMesh follows faces, and this network's points replace its points.
    case wholePictures(
        load: (_ files: [String: String], _ threads: Int) throws -> any WholePictureNetwork)
}

/// Finds the points of all faces in whole pictures. Belongs to one thread at a time.
public protocol WholePictureNetwork {
    /// The number of pictures that are worth giving at once.
    var batch: Int { get }

    /// The faces of each picture, in no particular order.
    func faces(in frames: [VideoFrame]) throws -> [[FacePoints]]
}

/// The points of one face, as a key-point network finds them.
public struct FacePoints: Sendable {
    /// The 68 points of the iBUG layout, in pixels of the upright picture. A whole number is the
    /// centre of a pixel.
    public var points: [Point]
    /// How sure each point is: about 0...1, and 0 or less where it is not seen.
    public var confidences: [Float]

    public init(points: [Point], confidences: [Float]) {
        (self.points, self.confidences) = (points, confidences)
    }

    /// The smallest box around the points.
    public var box: Box { Box(around: points) }

    /// `[68, 3]`: x, y and confidence of each point.
    var rows: [Float] {
        zip(points, confidences).flatMap { [Float($0.x), Float($0.y), $1] }
    }

    /// How much this is the face that a picture is about: large, and seen. The points of a head that
    /// is turned away are scattered widely, but none is sure.
    private var weight: Double {
        box.area * Double(confidences.reduce(0) { $0 + max(0, $1) }) / Double(confidences.count)
    }

    /// The face that a picture is about: the largest of those in it, by area times mean confidence.
    /// A crop is cut to its speaker's size, so whoever else is in it is smaller.
    ///
    /// - Returns: nil where no point of any face is seen.
    package static func main(of faces: [FacePoints]) -> FacePoints? {
        faces.max { $0.weight < $1.weight }.flatMap { face in
            face.confidences.contains { $0 > 0 } ? face : nil
        }
    }
}
