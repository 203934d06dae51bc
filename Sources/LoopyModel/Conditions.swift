import Torch

// Shapes: B samples, F frames of a clip, M motion frames, C channels and h w rows and columns of latents,
// L layers and S channels of speech features.

/// What a clip is made from besides noise (section 3.1): the reference image, the motion frames, speech,
/// and in training the face's own movement.
public struct Conditions {
    /// Latents of the reference images: `[B, C, h, w]`.
    public var reference: Tensor
    public var motionFrames: MotionFrames?
    /// Speech features of the frames f - 2 to f + 2: `[B, F, 5, L, S]`. Nil in the first stage of
    /// training.
    public var speech: Tensor?
    /// Nil in use.
    public var movement: FacialMovement?
    /// What motion latents are made of, for each sample: speech, in use.
    public var motionSources: [MotionSource]
    /// What each sample goes without.
    public var masks: [ConditionMask]

    /// Everything there, motion latents from speech.
    public init(reference: Tensor, motionFrames: MotionFrames? = nil, speech: Tensor? = nil) {
        self.reference = reference
        self.motionFrames = motionFrames
        self.speech = speech
        let samples = reference.length(0)
        motionSources = Array(repeating: .audio, count: samples)
        masks = Array(repeating: ConditionMask(), count: samples)
    }

    /// The frames before the clip, as the temporal segment module gives them.
    public struct MotionFrames {
        /// Latents, in the order of time, the nearest last: `[B, M, C, h, w]`.
        public var latents: Tensor
        /// Which of the M are there, for each sample: at the beginning of a video there are few, or none.
        public var isPresent: [[Bool]]

        public init(latents: Tensor, isPresent: [[Bool]]) {
            self.latents = latents
            self.isPresent = isPresent
        }
    }

    /// What training knows of the face's movement besides speech.
    public struct FacialMovement {
        /// Key points, in parts of the crop's side: `[B, F, 68, 2]`.
        public var landmarks: Tensor
        /// Variances over the clip, in squares of the crop's side: `[B]` each.
        public var headMotion: Tensor
        public var expression: Tensor

        public init(landmarks: Tensor, headMotion: Tensor, expression: Tensor) {
            self.landmarks = landmarks
            self.headMotion = headMotion
            self.expression = expression
        }
    }
}

/// A condition from which motion latents are made (section 3.3).
public enum MotionSource: Int, Sendable, CaseIterable {
    case audio, landmarks, headMotion, expression
}
