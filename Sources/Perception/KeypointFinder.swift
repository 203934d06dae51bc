import Media

/// Finds the face that a clip is about, picture by picture. Belongs to one thread at a time.
public protocol KeypointFinder {
    /// - Returns: for each picture `[68, 3]`: x and y in pixels of the picture, confidence; nil where
    ///   the face is not seen.
    func points(in pictures: FramePrefetcher) throws -> [[Float]?]
}

/// Follows the largest face from picture to picture.
struct FollowingFinder: KeypointFinder {
    let detector: any FaceDetector
    let network: any LandmarkNetwork
    private static let minimumPresence = 0.5

    func points(in pictures: FramePrefetcher) throws -> [[Float]?] {
        var frames: [[Float]?] = []
        var region: FaceRegion?
        while let picture = try pictures.next() {
            let found = try landmarks(in: picture.frame, near: region)
            region = found?.region
            frames.append(
                found.map { FacePoints(points: $0.points, confidences: $0.confidences).rows })
        }
        return frames
    }

    /// The face where it was in the last picture, else the largest that the detector finds.
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

/// Takes the main face of each picture, whatever it was in the one before.
struct MainFaceFinder: KeypointFinder {
    let network: any WholePictureNetwork

    func points(in pictures: FramePrefetcher) throws -> [[Float]?] {
        var frames: [[Float]?] = []
        var waiting: [VideoFrame] = []
        func look() throws {
            frames += try network.faces(in: waiting).map { FacePoints.main(of: $0)?.rows }
            waiting = []
        }
        while let picture = try pictures.next() {
            waiting.append(picture.frame)
            if waiting.count == network.batch { try look() }
        }
        if !waiting.isEmpty { try look() }
        return frames
    }
}
