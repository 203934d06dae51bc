import Media

/// A face as a landmark network sees it.
public struct FaceLandmarks: Sendable {
    /// The 68 points of the iBUG layout, in pixels of the upright picture, and how sure each is.
    public var points: [Point]
    public var confidences: [Float]
    /// The box around all points that the network knows.
    public var box: Box
    public var pose: HeadPose
    /// The probability that the points are on a face, 0...1.
    public var presence: Double
    /// The mean |Laplacian| of the face's brightness at the network's resolution, over the
    /// brightness's standard deviation.
    public var sharpness: Double
    /// The face's mean brightness, 0...1.
    public var brightness: Double
    /// The region in which to look for the same face in the next picture.
    public var region: FaceRegion
    /// The shape of the lips; nil where the network gives no depth.
    public var lips: LipShape?

    public init(
        points: [Point], confidences: [Float], box: Box, pose: HeadPose, presence: Double,
        sharpness: Double, brightness: Double, region: FaceRegion, lips: LipShape? = nil
    ) {
        self.points = points
        self.confidences = confidences
        self.box = box
        self.pose = pose
        self.presence = presence
        self.sharpness = sharpness
        self.brightness = brightness
        self.region = region
        self.lips = lips
    }

    /// The distance between the middles of the eyes.
    public var eyeDistance: Double {
        func middle(_ range: Range<Int>) -> Point {
            let count = Double(range.count)
            return Point(
                points[range].reduce(0) { $0 + $1.x } / count,
                points[range].reduce(0) { $0 + $1.y } / count)
        }
        return middle(IBUG68.leftEye).distance(to: middle(IBUG68.rightEye))
    }

    /// The distance between the inner lips, over the face's height so that turning the head sideways
    /// does not change it, in units of the distance between the eyes of a frontal face.
    public var mouthOpening: Double { Self.mouthOpening(points, faceHeight: box.height) }

    /// The mouth opening of any 68 points.
    public static func mouthOpening(_ points: [Point], faceHeight: Double) -> Double {
        let gaps = zip(IBUG68.innerUpperLip, IBUG68.innerLowerLip).map {
            points[$0].distance(to: points[$1])
        }
        // Seen from the front, the eyes of the mean face are 0.42 face heights apart.
        let frontalEyeDistance = 0.42 * faceHeight
        return frontalEyeDistance > 0 ? gaps.reduce(0, +) / 3 / frontalEyeDistance : 0
    }

    /// The box of the whole head, hair included: estimated from the face, whose points end at the hairline.
    public var head: Box {
        let up = Point(pose.up.x, pose.up.y)
        let halfWidth = max(0.62 * box.width, 0.45 * box.height)
        let middle = box.centre
        let top = Point(middle.x + up.x * 0.85 * box.height, middle.y + up.y * 0.85 * box.height)
        let crown = Box(
            left: top.x - halfWidth * 0.8, top: top.y, right: top.x + halfWidth * 0.8, bottom: top.y
        )
        let face = Box(
            left: middle.x - halfWidth, top: box.top, right: middle.x + halfWidth,
            bottom: box.bottom)
        return face.union(crown)
    }
}

/// Finds the landmarks of one face that is roughly located already.
public protocol LandmarkNetwork {
    /// The region in which to look for the landmarks of a face that a detector found.
    func region(for detection: FaceDetection) -> FaceRegion

    /// The landmarks of the face in a region, with a low presence where there is none.
    func landmarks(in frame: VideoFrame, region: FaceRegion) throws -> FaceLandmarks
}

/// The parts of the iBUG 68-point layout (300-W), as indices.
public enum IBUG68 {
    public static let count = 68
    public static let leftEye = 36..<42
    public static let rightEye = 42..<48
    public static let noseTip = 30
    static let chin = 8
    static let innerUpperLip = [61, 62, 63]
    static let innerLowerLip = [67, 66, 65]
}
