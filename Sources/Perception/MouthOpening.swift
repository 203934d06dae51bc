/// How far the mouth of a video's face is open, picture by picture.
///
/// The distance between the inner lips (the mean of three pairs of points) is divided by the distance
/// from the middle of the eyes to the chin. Both are lengths along the face: the size of the picture and
/// roll change neither, turning the head sideways shortens neither, and nodding shortens both. (Over six
/// clips of people who speak this length varied by 2 to 4 %, that from eye to eye by 1 to 10 %.)
public enum MouthOpening {
    /// The presence from which a face counts as found.
    public static let minimumPresence = 0.9

    /// The opening of a mouth, by the 68 points of its face; nil where they lie in one point.
    public static func value(_ points: [Point]) -> Double? {
        let gap =
            zip(IBUG68.innerUpperLip, IBUG68.innerLowerLip).reduce(0) {
                $0 + points[$1.0].distance(to: points[$1.1])
            } / Double(IBUG68.innerUpperLip.count)
        let eyes = IBUG68.leftEye.lowerBound..<IBUG68.rightEye.upperBound
        let middle = Point(
            points[eyes].reduce(0) { $0 + $1.x } / Double(eyes.count),
            points[eyes].reduce(0) { $0 + $1.y } / Double(eyes.count))
        let length = middle.distance(to: points[IBUG68.chin])
        return length > 0 ? gap / length : nil
    }

    /// The opening in every picture; nil where no face is found.
    public static func curve(_ faces: [FollowedFace.Moment?]) -> [Double?] {
        faces.map { face in
            face.flatMap { $0.presence >= minimumPresence ? value($0.points) : nil }
        }
    }
}
