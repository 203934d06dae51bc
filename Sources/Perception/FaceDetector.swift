import Media

/// A face as a detector sees it.
public struct FaceDetection: Sendable, Equatable {
    public var box: Box
    /// How sure the detector is, 0...1.
    public var score: Double
    /// The eyes on the picture's left and right.
    public var leftEye: Point
    public var rightEye: Point

    public init(box: Box, score: Double, leftEye: Point, rightEye: Point) {
        self.box = box
        self.score = score
        self.leftEye = leftEye
        self.rightEye = rightEye
    }
}

/// Finds the faces of a picture.
public protocol FaceDetector {
    /// The faces of a picture in no particular order, each once.
    func detect(in frame: VideoFrame) throws -> [FaceDetection]
}
