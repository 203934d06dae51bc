import Dataset
import Errors
import Media
import Perception
import Settings
import Storage

/// The column `motion`: both facial-movement variances of every window of 12 frames, float32 `[T-11, 2]`.
public struct MotionColumn: FeatureColumn {
    public static let name = "motion"
    public static let inputs = ["keypoints"]
    public static let revealsInputs = false

    public static func frames(rows: Int) -> Int { rows + MotionVariance.window - 1 }

    public let settings: NoSettings
    public let identity: ColumnIdentity
    /// The side of the crops on which the key points were measured, in pixels.
    private let side: Int

    /// - Throws: `LoopyError` `.configuration` outside of a dataset, where nothing says what the points are of.
    public init(_ settings: NoSettings, _ context: ColumnContext) throws(LoopyError) {
        guard context.dataset != nil else {
            throw LoopyError(
                .configuration,
                "motion is computed from key points in pixels of the crop, whose side the dataset says: "
                    + "extract it in a dataset")
        }
        self.settings = settings
        // The columns of early datasets do not say it.
        side = context.facts("keypoints")["side"] ?? VideoEncoding().size
        identity = ColumnIdentity(
            version: 1, configuration: ["window": MotionVariance.window, "side": side],
            facts: ["window": MotionVariance.window])
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let file = clip["keypoints"]
        let keypoints = try NumPyArray(decoding: file.read(), name: file.path)
        let motion = try MotionVariance.column(keypoints, side: Double(side))
        return ColumnMember(
            bytes: motion.encoded(), frames: Self.frames(rows: motion.shape[0]))
    }
}
