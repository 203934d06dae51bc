import Torch

/// Which conditions one sample goes without (section 3.4, "Conditions Mask and Dropout").
///
/// The same four states serve training and guidance, so that guidance asks for nothing that training
/// has not seen:
/// - audio masked: speech features are zeros, in audio attention and in motion latents alike;
/// - motion latents masked: they are zeros;
/// - reference dropped: spatial attention sees the sample's own tokens alone, and temporal attention
///   its own frames alone, for the motion frames are dropped with it;
/// - motion frames masked: they are hidden from temporal attention.
///
/// The paper masks motion frames "to all-zero features". Here they are hidden, as they are when the
/// reference is dropped, and when a video has only begun: one state for "no motion frames", and the
/// first clip of a generated video is in it.
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

        public init() {}
    }

    /// - Parameter generator: a generator on the CPU.
    public static func drawn(
        _ probabilities: Probabilities, _ generator: Generator
    ) -> ConditionMask {
        let drawn: [Double] = Tensor.uniform([4], generator: generator, type: .float64).array()
        var mask = ConditionMask()
        mask.audio = drawn[0] < probabilities.audio
        mask.motionLatents = drawn[1] < probabilities.motionLatents
        mask.reference = drawn[2] < probabilities.reference
        mask.motionFrames = drawn[3] < probabilities.motionFrames
        return mask
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
