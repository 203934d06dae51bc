import Media

/// Tells pictures that show what the one before shows, though their file says that they are new: a camera or a
/// program that hung, or another rate of pictures that was made up for. A value belongs to one video.
package struct FrozenPictures {
    /// The rows that are compared.
    private static let rows = 48
    /// Coding a picture once more changes no sample by more than so many of 255 levels.
    private static let tolerance: Float = 3
    /// The share of samples that may differ by more. On real clips the stillest picture of a person has ten
    /// times as many, and pictures that were repeated before they were coded again have fewer.
    private static let changedShare = 0.0005

    private var previous: (width: Int, height: Int, luma: [Float])?

    package init() {}

    /// Whether this picture shows what the last one did; false for the first.
    package mutating func isFrozen(_ frame: VideoFrame) -> Bool {
        let (width, height) = (frame.lumaWidth, frame.lumaHeight)
        let step = max(1, height / Self.rows)
        let luma = [Float](
            unsafeUninitializedCapacity: width * min(Self.rows, height)
        ) { buffer, count in
            count = frame.copyLuma(from: step / 2, step: step, into: buffer) * width
        }
        defer { previous = (width, height, luma) }
        guard let previous, previous.width == width, previous.height == height else { return false }
        var changed = 0
        for index in luma.indices where abs(luma[index] - previous.luma[index]) > Self.tolerance {
            changed += 1
        }
        return Double(changed) < Self.changedShare * Double(luma.count)
    }
}
