import Settings

/// How the paper is read where it is silent, or can be read in two ways: docs/readings.md.
public struct Readings: DescribedSettings, Equatable {
    /// What the clip sees of motion frames that are masked or not there.
    public enum MissingMotionFrames: String, Codable, Sendable, CaseIterable {
        /// The clip does not see them: temporal attention leaves them out.
        case hidden
        /// The clip sees features that are all zero, as section 3.4 says of masked ones.
        case zeros
    }

    /// What a sample goes without whose reference is dropped.
    public enum DroppedReference: String, Codable, Sendable, CaseIterable {
        /// Everything that comes from the reference net.
        case withMotionFrames = "with_motion_frames"
        /// The reference image's tokens in spatial attention alone.
        case alone
    }

    /// Whose projections make keys and values of the reference image's tokens.
    public enum ReferenceProjections: String, Codable, Sendable, CaseIterable {
        case denoisingNet = "denoising_net"
        case referenceNet = "reference_net"
    }

    public var missingMotionFrames = MissingMotionFrames.hidden
    public var droppedReference = DroppedReference.withMotionFrames
    public var referenceProjections = ReferenceProjections.denoisingNet
    /// The attentions of a temporal layer, before its feed-forward layer: AnimateDiff's have two.
    public var temporalAttentions = 2

    public init() {}

    public static var settings: [Setting<Readings>] {
        [
            .choice(
                "missing_motion_frames", \.missingMotionFrames,
                "What the clip sees of motion frames that are masked or not there: nothing, or features "
                    + "that are zero."),
            .choice(
                "dropped_reference", \.droppedReference,
                "What goes when the reference is dropped, in training and in the pass of guidance that "
                    + "has none: the motion frames with it, or the reference image alone."),
            .choice(
                "reference_projections", \.referenceProjections,
                "The net whose projections make keys and values of the reference image's tokens."),
            .number(
                "temporal_attentions", \.temporalAttentions, in: 1...2,
                "The attentions of a temporal layer: two as in AnimateDiff, whose weights may then be "
                    + "loaded, or one."),
        ]
    }
}
