import Media

/// A part of a source that a public dataset's annotation names.
public struct AnnotatedSpan: Codable, Sendable, Equatable {
    /// The annotation's name for it, such as "AdamSchiff_0".
    public var name: String
    /// Seconds from the source's first picture. Without an end it goes on to the source's.
    public var start: Double
    public var end: Double?
    /// Where the face that is meant is: `[left, top, right, bottom]`, in pixels of the upright
    /// source. Any face may be meant where there is none.
    public var box: [Double]?
    /// What else the annotation says of it: `["emotion": "happy"]`.
    public var attributes: [String: String]?

    public init(
        name: String, start: Double, end: Double?, box: [Double]? = nil,
        attributes: [String: String]? = nil
    ) {
        self.name = name
        self.start = start
        self.end = end
        self.box = box
        self.attributes = attributes
    }

    /// The pictures of the 25 fps grid that lie in it as a whole.
    public var frames: Range<Int> {
        let rate = Double(Grid.framesPerSecond)
        // Decimal fractions are a little more or less than they say.
        let rounding = 1e-6
        let first = Int((start * rate - rounding).rounded(.up))
        let last = end.map { Int(($0 * rate + rounding).rounded(.down)) } ?? .max
        return first..<max(first, last)
    }
}
