import Media
import Perception

/// The largest face by MediaPipe's networks, followed from picture to picture.
final class FaceMeshFinder: FacePointFinder {
    private let detector: BlazeFace
    private let network: FaceMesh
    private static let minimumPresence = 0.5

    init(detector: String, landmarks: String) throws {
        self.detector = try BlazeFace(.short, path: detector)
        network = try FaceMesh(path: landmarks)
    }

    func points(in pictures: FramePrefetcher) throws -> [[Float]?] {
        var frames: [[Float]?] = []
        var region: FaceRegion?
        while let picture = try pictures.next() {
            let found = try landmarks(in: picture.frame, near: region)
            region = found?.region
            frames.append(found.map { rows($0.points, $0.confidences) })
        }
        return frames
    }

    /// Where the last frame's face was, else wherever the detector finds the largest.
    private func landmarks(in frame: VideoFrame, near: FaceRegion?) throws -> FaceLandmarks? {
        if let near {
            let followed = try network.landmarks(in: frame, region: near)
            if followed.presence >= Self.minimumPresence { return followed }
        }
        let faces = try detector.detect(in: frame)
        guard let largest = faces.max(by: { $0.box.area < $1.box.area }) else { return nil }
        let rough = try network.landmarks(in: frame, region: network.region(for: largest))
        let fine = try network.landmarks(in: frame, region: rough.region)
        return fine.presence >= Self.minimumPresence ? fine : nil
    }
}

/// The main face by DWPose, in each picture anew.
struct DWPoseFinder: FacePointFinder {
    private let pose: DWPose

    init(_ pose: DWPose) { self.pose = pose }

    func points(in pictures: FramePrefetcher) throws -> [[Float]?] {
        var frames: [[Float]?] = []
        var waiting: [VideoFrame] = []
        func look() throws {
            frames += try pose.faces(in: waiting).map { faces in
                DWPose.main(of: faces).map { rows($0.points, $0.confidences) }
            }
            waiting = []
        }
        while let picture = try pictures.next() {
            waiting.append(picture.frame)
            if waiting.count == DWPose.batch { try look() }
        }
        try look()
        return frames
    }
}

/// `[68, 3]`
private func rows(_ points: [Point], _ confidences: [Float]) -> [Float] {
    zip(points, confidences).flatMap { [Float($0.x), Float($0.y), $1] }
}
