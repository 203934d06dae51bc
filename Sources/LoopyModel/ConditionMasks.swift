import Torch

/// Which conditions one sample goes without (section 3.4, "Conditions Mask and Dropout").
///
/// The same four states serve training and guidance, so that guidance asks for nothing that training
/// has not seen:
/// - audio masked: speech features are zeros, in audio attention and in motion latents alike;
/// - motion latents masked: they are zeros;
/// - reference dropped: spatial attention sees the sample's own tokens alone, and temporal attention
///   its own frames alone, for the motion frames are dropped with it, unless `Readings` has them stay;
/// - motion frames masked: they are hidden from temporal attention, as they are when a video has only
///   begun: one state for "no motion frames", and the first clip of a generated video is in it. The
///   paper masks them "to all-zero features", which `Readings` can ask for.
public struct ConditionMask: Sendable, Equatable {
    public var audio = false
    public var motionLatents = false
    public var reference = false
    public var motionFrames = false

    public init() {}

    /// How often each is masked; the defaults are the paper's.
    public struct Probabilities: Codable, Sendable, Equatable {
        public var audio = 0.1
        public var motionLatents = 0.1
        public var reference = 0.15
        public var motionFrames = 0.4
        /// Whether the motion latents of a sample without audio come from audio too, which is masked
        /// there likewise. Then nothing tells of its speech, and it is in the state of guidance's
        /// `e_ref`, or, where the reference is dropped as well, of `e_base`. Otherwise three samples of
        /// four have motion latents from landmarks or variances, and these states are hardly trained.
        public var joint = true

        public init() {}

        /// Draws a sample's mask, and what its motion latents are made of: one of the four sources with
        /// equal probability.
        ///
        /// - Parameter generator: a generator on the CPU.
        public func draw(_ generator: Generator) -> (mask: ConditionMask, source: MotionSource) {
            let drawn: [Double] = Tensor.uniform([4], generator: generator, type: .float64).array()
            var mask = ConditionMask()
            mask.audio = drawn[0] < audio
            mask.motionLatents = drawn[1] < motionLatents
            mask.reference = drawn[2] < reference
            mask.motionFrames = drawn[3] < motionFrames
            let sources = MotionSource.allCases
            let index = Tensor.integers(0..<sources.count, [1], generator: generator).scalar
            return (mask, joint && mask.audio ? .audio : sources[Int(index)])
        }
    }
}

extension Tensor {
    /// Sets the samples that are masked to zero.
    ///
    /// - Parameter isMasked: a truth value for each index of the first axis.
    func zeroed(where isMasked: [Bool]) -> Tensor {
        guard isMasked.contains(true) else { return self }
        let shape = [isMasked.count] + Array(repeating: 1, count: rank - 1)
        return self * Tensor(isMasked.map { !$0 }, shape: shape, device: device).to(type)
    }
}
