import Dataset
import Media
import Perception
import Storage

/// The column `motion`: both facial-movement variances of every window of 12 frames.
extension MotionVariance {
    private static let version = 1
    /// The side of a crop whose column does not say it, in pixels.
    static let usualSide = VideoEncoding().size

    /// - Parameter side: of the crops on which the key points were measured, in pixels.
    static func recipe(side: Int) -> ColumnRecipe {
        ColumnRecipe(
            input: "keypoints", version: version,
            configuration: ["window": window, "side": side], facts: ["window": window]
        ) { slice in
            let keypoints = try NumPyArray(decoding: slice.read(), name: slice.path)
            let motion = try column(keypoints, side: Double(side))
            return ColumnMember(bytes: motion.encoded(), frames: motion.shape[0] + window - 1)
        }
    }
}
