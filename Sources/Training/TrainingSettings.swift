import Diffusion
import Errors
import Features
import LoopyModel

/// Settings of `loopy-train`: the `train` section of a file, or that section alone.
public struct TrainingSettings: Codable, Sendable {
    /// The model that `model` starts from: "sd15", the paper's, or "tiny".
    public var preset = "sd15"
    public var model = LoopyConfiguration.sd15
    public var schedule = NoiseSchedule.Settings()
    public var begin = Beginning()
    public var data = Data()
    public var optimiser = Optimiser()
    public var masks = ConditionMask.Probabilities()
    public var checkpoints = Checkpoints()
    public var validation = Validation()

    /// Optimiser steps, in all.
    public var steps = 30_000
    /// Clips in a batch, and batches whose gradients are added up for a step.
    public var batch = 1
    public var accumulate = 1
    /// Of matrix products and convolutions: weights, and what adds up, stay float32.
    public var precision = MemoryEstimate.Precision.bfloat16
    /// Whether layers are computed again for the backward pass: a third more time, a fraction of the
    /// memory.
    public var recompute = true
    /// Of the averaged weights, a step; 0 for none.
    public var averageDecay = 0.9999
    /// Weighs timesteps by min-SNR with this γ; 0 for equal weights.
    public var minimumSnrGamma = 0.0
    /// Part of the noise that all places of a channel share.
    public var noiseOffset = 0.0
    /// Names of weights that stay as they are begin so: "reference_net.", "denoising_net.conv_in".
    public var frozen: [String] = []
    public var seed = 0
    /// "cpu", "cuda:0".
    public var device = "cpu"
    /// Memory of the device in GiB; 0 asks the machine, which knows only its own.
    public var memoryGib = 0.0
    /// Steps from one line of metrics to the next.
    public var logEvery = 10

    public init() {}

    /// Where weights come from: names of Manifests/models.yaml or paths; empty for none of it.
    public struct Beginning: Codable, Sendable {
        /// For both nets: a U-Net folder.
        public var stableDiffusion = ""
        /// For the second stage: a run of the first, or a file of weights.
        public var firstStage = ""
        /// For the intra-clip layers.
        public var animateDiff = ""

        public init() {}
    }

    public struct Data: Codable, Sendable {
        /// Windows drawn from each clip, an epoch.
        public var windowsPerClip = 4
        /// Windows among which the next is drawn.
        public var shuffle = 256
        /// Windows read ahead.
        public var prefetch = 4
        /// How frames are coded where shards hold no latents.
        public var latents = LatentsSettings()

        public init() {}
    }

    public struct Optimiser: Codable, Sendable {
        public var learningRate = 1e-5
        /// Steps over which it grows from nothing.
        public var warmUp = 500
        public var weightDecay = 1e-2
        public var beta1 = 0.9
        public var beta2 = 0.999
        /// Gradients are shortened to this norm; 0 leaves them.
        public var maximumNorm = 1.0

        public init() {}
    }

    public struct Checkpoints: Codable, Sendable {
        public var every = 1000
        /// How many are kept, the newest.
        public var keep = 3

        public init() {}
    }

    public struct Validation: Codable, Sendable {
        public var every = 1000
        /// Windows of the held-out shards; 0 for none.
        public var windows = 16

        public init() {}
    }

    /// - Throws: `LoopyError` `.configuration` that names the setting.
    func validate() throws {
        let counts = [
            ("steps", steps), ("batch", batch), ("accumulate", accumulate),
            ("log_every", logEvery), ("data.windows_per_clip", data.windowsPerClip),
            ("data.shuffle", data.shuffle), ("data.prefetch", data.prefetch),
            ("checkpoints.every", checkpoints.every), ("checkpoints.keep", checkpoints.keep),
            ("validation.every", validation.every),
        ]
        for (name, value) in counts where value < 1 {
            throw LoopyError(.configuration, "train.\(name): must be 1 or more, not \(value)")
        }
        let shares = [
            ("average_decay", averageDecay), ("masks.audio", masks.audio),
            ("masks.motion_latents", masks.motionLatents), ("masks.reference", masks.reference),
            ("masks.motion_frames", masks.motionFrames),
        ]
        for (name, value) in shares where !(0...1).contains(value) {
            throw LoopyError(
                .configuration, "train.\(name): must lie between 0 and 1, not \(value)")
        }
        guard optimiser.learningRate > 0, optimiser.warmUp >= 0, optimiser.weightDecay >= 0,
            optimiser.maximumNorm >= 0, minimumSnrGamma >= 0, noiseOffset >= 0
        else {
            throw LoopyError(
                .configuration,
                "train: learning_rate must be more than 0; warm_up, weight_decay, maximum_norm, "
                    + "minimum_snr_gamma and noise_offset no less")
        }
    }
}
