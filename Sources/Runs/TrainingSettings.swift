import Diffusion
import Features
import LoopyModel
import Torch

/// Settings of `loopy-train`: the `train` section of a file, or that section alone.
public struct TrainingSettings: Codable, Sendable {
    /// The model that `model` starts from: "sd15", the paper's, or "tiny".
    public var preset = "sd15"
    public var model = LoopyConfiguration.sd15
    public var schedule = NoiseSchedule.Settings()
    public var initialWeights = InitialWeights()
    public var data = Data()
    public var optimiser = Optimiser()
    /// How often each condition is left out.
    public var masks = ConditionMask.Probabilities()
    public var checkpoints = Checkpoints()
    public var validation = Validation()
    public var distillation = Distillation()
    /// How validation samples videos, and generating too, unless it is told otherwise.
    public var sampling = SamplingSettings()

    /// The number of optimiser steps in all.
    public var steps = 30_000
    /// The number of clips in a batch.
    public var batchSize = 1
    /// The number of batches whose gradients are added up for a step.
    public var gradientAccumulation = 1
    /// The precision of matrix products and convolutions; weights, and what adds up, stay float32.
    public var precision = ComputePrecision.Choice.automatic
    /// The precision in which several processes sum their gradients.
    public var reducePrecision = ComputePrecision.float32
    /// Whether layers are computed again for the backward pass: a third more time, a fraction of the
    /// memory.
    public var gradientCheckpointing = true
    /// The decay of the weights' exponential moving average, a step; 0 for no average.
    public var emaDecay = 0.9999
    /// The γ of min-SNR, which weighs timesteps; 0 for equal weights.
    public var snrGamma = 0.0
    /// The part of the noise that all pixels of a latent channel share.
    public var noiseOffset = 0.0
    /// The weight of the loss at the mouth, where elsewhere it is 1.
    public var mouthWeight = 1.0
    /// The weight of what is wrong with the mouth's shape in motion latents, for a model that has
    /// `motion_latents.mouth_head`; 0 for none.
    public var mouthShapeWeight = 0.0
    /// How much more noise timesteps are drawn with: of evenly drawn times t, `s t / (1 + (s - 1) t)`
    /// are taken (Esser et al. 2024, section 5.3.2); 1 leaves them even.
    public var timestepShift = 1.0
    /// The most noise that is added to the latents of motion frames, as a standard deviation, drawn
    /// evenly from 0: generated frames are never as clean as those of a dataset.
    public var motionFrameNoise = 0.0
    /// How often a window is taken for the beginning of a video, as generating begins that starts from the portrait:
    /// the frame right before it stands for the reference, and for every frame before the window.
    public var beginnings = 0.0
    /// The names of weights that are not trained, or their beginnings: "reference_net.",
    /// "denoising_net.conv_in".
    public var frozen: [String] = []
    public var seed = 0
    /// The device that trains: "cpu", "cuda:0".
    public var device = "cpu"
    /// The device's memory in GiB; 0 for what is free of it.
    public var memoryGib = 0.0
    /// The number of steps from one line of metrics to the next.
    public var logEvery = 10

    public init() {}

    /// Where weights come from: names of Manifests/models.yaml, or paths; what is empty is not loaded.
    public struct InitialWeights: Codable, Sendable {
        /// A U-Net folder, for both nets.
        public var stableDiffusion = ""
        /// A run of the first stage, or a file of weights, for the second stage; for a distilled model the
        /// teacher, a run of the second stage.
        public var firstStage = ""
        /// A run or an exported model of the same shape, of which all weights are taken; for a distilled
        /// model the teacher.
        public var model = ""
        /// AnimateDiff's motion modules, for the intra-clip layers.
        public var animateDiff = ""

        public init() {}
    }

    public struct Data: Codable, Sendable {
        /// The number of windows that are drawn from each clip in an epoch.
        public var windowsPerClip = 4
        /// The number of windows among which the next one is drawn.
        public var shuffle = 256
        /// The number of windows that are read ahead.
        public var prefetch = 4
        /// How frames are coded where shards hold no latents.
        public var latents = LatentsSettings()

        public init() {}
    }

    /// AdamW, with a learning rate that grows linearly at first.
    public struct Optimiser: Codable, Sendable {
        public var learningRate = 1e-5
        /// What becomes of the learning rate after the warm-up.
        public var schedule = LearningRateSchedule.constant
        /// The number of steps over which the learning rate grows from nothing.
        public var warmupSteps = 500
        public var weightDecay = 1e-2
        public var beta1 = 0.9
        public var beta2 = 0.999
        /// The norm to which longer gradients are shortened; 0 leaves them as they are.
        public var maxGradNorm = 1.0
        /// Whether several processes share the moments out (ZeRO, stage 1).
        public var sharded = false

        public init() {}
    }

    public struct Checkpoints: Codable, Sendable {
        /// The number of steps from one checkpoint to the next.
        public var every = 1000
        /// The number of checkpoints that are kept, the newest.
        public var keep = 3
        /// Every so many steps there is one that is kept for good; 0 for none.
        public var milestones = 0

        public init() {}

        public func isMilestone(_ step: Int) -> Bool { milestones > 0 && step % milestones == 0 }
    }

    /// How a model of the stage `distilled` learns from its teacher.
    public struct Distillation: Codable, Sendable {
        /// The number of optimiser steps, the first ones, that distil the teacher's guidance alone.
        public var guidanceSteps = 5000
        /// The number of DDIM steps in which the teacher goes from noise to picture.
        public var solverSteps = 40

        public init() {}
    }

    public struct Validation: Codable, Sendable {
        /// The number of steps from one validation to the next.
        public var every = 1000
        /// The number of windows of the held-out shards; 0 for no validation.
        public var windows = 16
        /// The number of these windows that are sampled, and drawn; 0 for none.
        public var samples = 0

        public init() {}
    }
}

extension TrainingSettings {
    /// How videos are sampled from the model that is trained: from a distilled one as it has learnt to be.
    public var samplingOfModel: SamplingSettings {
        model.stage == .distilled ? .distilled(steps: model.distilledSteps) : sampling
    }
}
