import LoopyModel
import Settings

extension TrainingSettings: DescribedSettings {
    public static var settings: [Setting<TrainingSettings>] {
        [
            .choice(
                "preset", \.preset, of: LoopyConfiguration.presets.keys.sorted(),
                "The model that model starts from: sd15, the paper's; small, of one speaker, for two CPU "
                    + "cores; or tiny, to try things."),
            .group("model", \.model),
            .group("schedule", \.schedule),
            .group("initial_weights", \.initialWeights),
            .group("data", \.data),
            .group("optimiser", \.optimiser),
            .group("masks", \.masks),
            .group("checkpoints", \.checkpoints),
            .group("validation", \.validation),
            .group("distillation", \.distillation),
            .group("sampling", \.sampling),
            .number(
                "steps", \.steps, in: 1...1_000_000_000, "The number of optimiser steps in all."),
            .number("batch_size", \.batchSize, in: 1...4096, "The number of clips in a batch."),
            .number(
                "gradient_accumulation", \.gradientAccumulation, in: 1...1_000_000,
                "The number of batches whose gradients are added up for a step."),
            .choice(
                "precision", \.precision,
                "The precision of matrix products and convolutions; weights, and what adds up, stay "
                    + "float32. automatic is bfloat16 on a GPU, and float32 on a processor. On a GPU, float32 "
                    + "takes 10 bits of each factor (TF32)."),
            .choice(
                "reduce_precision", \.reducePrecision,
                "The precision in which several processes sum their gradients: bfloat16 sends half as "
                    + "much, and is coarser."),
            .flag(
                "gradient_checkpointing", \.gradientCheckpointing,
                "Whether layers are computed again for the backward pass: a third more time, a fraction "
                    + "of the memory."),
            .number(
                "ema_decay", \.emaDecay, in: 0...0.999999999,
                "The decay of the weights' exponential moving average, a step; 0 for no average."),
            .number(
                "snr_gamma", \.snrGamma, in: 0...1e6,
                "The γ of min-SNR, which weighs timesteps; 0 for equal weights."),
            .number(
                "noise_offset", \.noiseOffset, in: 0...100,
                "The part of the noise that all pixels of a latent channel share."),
            .number(
                "mouth_weight", \.mouthWeight, in: 0...1000,
                "The weight of the loss at the mouth, where elsewhere it is 1."),
            .number(
                "mouth_shape_weight", \.mouthShapeWeight, in: 0...1000,
                "The weight of what is wrong with the mouth's shape in motion latents, for a model "
                    + "that has motion_latents.mouth_head; 0 for none."),
            .number(
                "timestep_shift", \.timestepShift, in: 0.01...100,
                "How much more noise timesteps are drawn with: of times t from 0 to 1, "
                    + "s t / (1 + (s - 1) t) are taken; 1 draws them evenly."),
            .number(
                "motion_frame_noise", \.motionFrameNoise, in: 0...10,
                "The most noise that is added to the latents of motion frames, as a standard deviation "
                    + "drawn evenly from 0."),
            .number(
                "beginnings", \.beginnings, in: 0...1,
                "How often a window is taken for the beginning of a video, as generating begins that "
                    + "starts from the portrait: the frame right before it stands for the reference, and for every "
                    + "frame before the window."),
            .list(
                "frozen", \.frozen,
                "Names of weights that are not trained, or their beginnings, such as reference_net."
            ),
            .number("seed", \.seed, in: 0...Int.max, "Another seed gives another run."),
            .device("device", \.device, "The device that trains."),
            .number(
                "memory_gib", \.memoryGib, in: 0...1e6, unit: "GiB",
                "The device's memory; 0 for what is free."),
            .number(
                "log_every", \.logEvery, in: 1...1_000_000_000, unit: "steps",
                "The number of steps from one line of metrics to the next."),
        ]
    }

    public var conflict: String? {
        if mouthShapeWeight > 0, model.stage == .video, !model.motionLatents.mouthHead {
            return "mouth_shape_weight: needs model.motion_latents.mouth_head, which is off"
        }
        if model.stage == .distilled, let conflict = distillationConflict { return conflict }
        return initialWeights.animateDiff.isEmpty || model.readings.temporalAttentions == 2
            ? nil
            : "initial_weights.animate_diff: needs model.readings.temporal_attentions: 2, as "
                + "AnimateDiff's layers have"
    }

    /// What a distilled model does not allow.
    private var distillationConflict: String? {
        let (few, solver) = (model.distilledSteps, distillation.solverSteps)
        if solver % few != 0 || schedule.numTrainTimesteps % solver != 0 {
            return
                "distillation.solver_steps: \(solver) is no multiple of model.distilled_steps (\(few)), or "
                + "no divisor of schedule.num_train_timesteps (\(schedule.numTrainTimesteps))"
        }
        if distillation.guidanceSteps >= steps {
            return
                "distillation.guidance_steps: \(distillation.guidanceSteps) leaves none of the \(steps) "
                + "steps to learn sampling in few steps"
        }
        if sampling != SamplingSettings() {
            return
                "sampling: a distilled model is sampled in model.distilled_steps steps, without guidance; "
                + "leave it out"
        }
        if mouthShapeWeight > 0 {
            return
                "mouth_shape_weight: a distilled model has its motion latents from its teacher; set it to 0"
        }
        return initialWeights.stableDiffusion.isEmpty && initialWeights.animateDiff.isEmpty
            ? nil
            : "initial_weights: a distilled model has all weights from its teacher; set model alone"
    }

    public static var formerKeys: [String: String] {
        [
            "begin": "initial_weights", "batch": "batch_size",
            "accumulate": "gradient_accumulation", "recompute": "gradient_checkpointing",
            "average_decay": "ema_decay", "minimum_snr_gamma": "snr_gamma",
        ]
    }
}

extension TrainingSettings {
    /// Reads the section `train` of a file, or a file that is that section alone.
    ///
    /// - Throws: `LoopyError` `.configuration` that names the setting.
    public static func read(file: String?, overrides: [String] = []) throws -> TrainingSettings {
        func read(_ defaults: Self, validates: Bool) throws -> Self {
            try Configuration.read(
                defaults, section: ["train"], file: file, overrides: overrides,
                validates: validates)
        }
        // The preset says what `model` starts from.
        var defaults = TrainingSettings()
        let preset = try read(defaults, validates: false).preset
        defaults.model = LoopyConfiguration.presets[preset] ?? defaults.model
        return try read(defaults, validates: true)
    }
}

extension TrainingSettings.InitialWeights: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.InitialWeights>] {
        let form = "a path, or a name in Manifests/models.yaml"
        return [
            .text(
                "stable_diffusion", \.stableDiffusion, form, mayBeEmpty: true,
                "The weights that both nets begin with: a folder of Stable Diffusion's U-Net."),
            .text(
                "first_stage", \.firstStage, "a path", mayBeEmpty: true,
                "The weights that the second stage begins with: a run of the first, or a file. For a "
                    + "distilled model the run from which it learns, instead of model."),
            .text(
                "model", \.model, "a path, or a name in Manifests/models.yaml", mayBeEmpty: true,
                "A run or an exported model of the same shape, of which all weights are taken; a distilled "
                    + "model begins with them and learns from them."),
            .text(
                "animate_diff", \.animateDiff, form, mayBeEmpty: true,
                "The weights that the temporal layers begin with: AnimateDiff's motion modules."),
        ]
    }
}

extension TrainingSettings.Data: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.Data>] {
        [
            .number(
                "windows_per_clip", \.windowsPerClip, in: 1...1000, unit: "windows",
                "The number of windows that are drawn from each clip in an epoch."),
            .number(
                "shuffle", \.shuffle, in: 1...100_000, unit: "windows",
                "The number of windows among which the next one is drawn."),
            .number(
                "prefetch", \.prefetch, in: 1...256, unit: "windows",
                "The number of windows that are read ahead."),
            .group("latents", \.latents),
        ]
    }
}

extension TrainingSettings.Optimiser: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.Optimiser>] {
        [
            .number(
                "learning_rate", \.learningRate, in: 1e-12...100, "AdamW's learning rate."),
            .choice(
                "schedule", \.schedule,
                "What becomes of the learning rate after the warm-up: nothing, or it falls to nothing "
                    + "at the last step."),
            .number(
                "warmup_steps", \.warmupSteps, in: 0...1_000_000_000, unit: "steps",
                "The number of steps over which the learning rate grows from nothing."),
            .number(
                "weight_decay", \.weightDecay, in: 0...100,
                "What a weight loses each step, times the learning rate."),
            .number(
                "beta1", \.beta1, in: 0...0.999999999,
                "The decay of the mean of the gradients, a step."),
            .number(
                "beta2", \.beta2, in: 0...0.999999999,
                "The decay of the mean of the gradients' squares, a step."),
            .number(
                "max_grad_norm", \.maxGradNorm, in: 0...1e9,
                "The norm to which longer gradients are shortened; 0 leaves them as they are."),
            .flag(
                "sharded", \.sharded,
                "Whether several processes share AdamW's moments out among them: less memory, the "
                    + "same numbers (ZeRO, stage 1)."),
        ]
    }

    public static var formerKeys: [String: String] {
        ["warm_up": "warmup_steps", "maximum_norm": "max_grad_norm"]
    }
}

extension TrainingSettings.Checkpoints: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.Checkpoints>] {
        [
            .number(
                "every", \.every, in: 1...1_000_000_000, unit: "steps",
                "The number of steps from one checkpoint to the next."),
            .number(
                "keep", \.keep, in: 1...1_000_000,
                "The number of checkpoints that are kept, the newest."),
            .number(
                "milestones", \.milestones, in: 0...1_000_000_000, unit: "steps",
                "The number of steps from one checkpoint that is kept for good to the next; 0 for none."
            ),
        ]
    }
}

extension TrainingSettings.Validation: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.Validation>] {
        [
            .number(
                "every", \.every, in: 1...1_000_000_000, unit: "steps",
                "The number of steps from one validation to the next."),
            .number(
                "windows", \.windows, in: 0...10_000, unit: "windows",
                "The number of windows of the held-out shards; 0 for no validation."),
            .number(
                "samples", \.samples, in: 0...64, unit: "windows",
                "The number of these windows that are sampled and drawn, in samples/ of the run and for "
                    + "TensorBoard; 0 for none."),
        ]
    }
}

extension TrainingSettings.Distillation: DescribedSettings {
    public static var settings: [Setting<TrainingSettings.Distillation>] {
        [
            .number(
                "guidance_steps", \.guidanceSteps, in: 0...1_000_000_000, unit: "steps",
                "The first optimiser steps of a distilled model: they distil its teacher's guidance into one "
                    + "pass. The others teach it to sample in few steps."),
            .number(
                "solver_steps", \.solverSteps, in: 1...1000, unit: "steps",
                "The DDIM steps of the teacher from noise to picture, which model.distilled_steps share out "
                    + "among them: a multiple of those, and a divisor of schedule.num_train_timesteps."
            ),
        ]
    }
}
