import Curation
import Diffusion
import Errors
import Features
import LoopyModel
import Media
import Runs

/// Settings of `loopy-generate`: the `generate` section of a file, or that section alone. The defaults
/// are the paper's.
public struct GenerationSettings: Codable, Sendable {
    public var seed = 0
    /// How a picture is found from noise.
    public var solver = Solver.Method.ddim
    /// The number of its steps.
    public var numInferenceSteps = 25
    /// Which of the schedule's timesteps are taken.
    public var timestepSpacing = TimestepSpacing.automatic
    /// DDIM's η: 0 draws no noise on the way; the other solvers draw none.
    public var eta = 0.0
    /// How strongly the conditions guide, and in which of the steps.
    public var guidance = Guidance()
    /// Whether the first clip has the portrait for the frames before it.
    public var startsFromPortrait = false
    /// The steps for which the denoising net's deep layers run once: 1 is exact.
    public var cacheInterval = 1
    public var passes = Passes.automatic
    /// The precision of matrix products and convolutions.
    public var precision = ComputePrecision.Choice.automatic
    /// The device that generates: "cpu", "cuda:0".
    public var device = "cpu"
    /// What the portrait must be like.
    public var rules = Rules.portrait
    /// How the portrait is cropped.
    public var clips = ClipSettings()
    /// How speech is encoded, as far as the dataset that the model was trained on does not say it.
    public var speech = SpeechSettings.withoutWeights
    /// How pictures are coded, as far as the dataset that the model was trained on does not say it.
    public var latents = LatentsSettings()
    /// How the video is encoded; its side is that of the pictures which the model makes.
    public var video = VideoEncoding()

    public enum TimestepSpacing: String, Codable, Sendable, CaseIterable {
        /// Trailing where the schedule ends in pure noise, which leading leaves out, and leading
        /// elsewhere.
        case automatic
        case leading, trailing
    }

    /// How the passes of guidance run; the video is the same up to rounding.
    public enum Passes: String, Codable, Sendable, CaseIterable {
        /// The passes run together on an accelerator, and apart on a processor.
        case automatic
        /// Those that see the reference run as one batch, which takes more memory.
        case together
        /// The passes run one after another.
        case apart
    }

    public init() {}

    /// The defaults for a model, which says how it is sampled best.
    public init(sampling: SamplingSettings) {
        solver = sampling.solver
        numInferenceSteps = sampling.numInferenceSteps
        guidance = sampling.guidance
        startsFromPortrait = sampling.startsFromPortrait
    }

    /// How much time a video may take, against how near it comes to what the model says.
    public enum Quality: String, Sendable, CaseIterable {
        /// As the model says that it is sampled best.
        case exact
        /// About as near, in 6 of 10 steps: by UniPC.
        case fast
        /// For a look: in 4 of 10 steps, of which the first half is guided.
        case draft
    }

    /// Takes what the model says of sampling, and changes it for a quality.
    public mutating func use(_ quality: Quality) {
        func part(_ tenths: Int) -> Int { max(1, (numInferenceSteps * tenths + 5) / 10) }
        switch quality {
        case .exact: break
        case .fast: (solver, numInferenceSteps) = (.unipc, part(6))
        case .draft:
            (solver, numInferenceSteps) = (.unipc, part(4))
            guidance.last = min(guidance.last, 0.5)
        }
    }

    /// - Throws: `LoopyError` `.configuration` for a distilled model that is to be sampled otherwise than it
    ///   has learnt to be.
    package func requireFit(to trained: TrainedModel) throws(LoopyError) {
        let model = trained.description.model
        guard model.stage == .distilled else { return }
        let learnt = SamplingSettings.distilled(steps: model.distilledSteps)
        let stated =
            "\(trained.path): is distilled for \(model.distilledSteps) steps of one pass each"
        guard guidance == learnt.guidance else {
            throw LoopyError(
                .configuration,
                "generate.guidance: \(stated), which have its teacher's guidance in them and cannot be guided "
                    + "further; leave out --audio-ratio, --reference-ratio and generate.guidance, or take the "
                    + "model from which it was distilled")
        }
        guard numInferenceSteps == learnt.numInferenceSteps, solver == learnt.solver, eta == 0,
            timestepSpacing != .leading
        else {
            throw LoopyError(
                .configuration,
                "generate: \(stated), by ddim without noise and in trailing timesteps; leave out --steps, and "
                    + "generate.solver, num_inference_steps, eta and timestep_spacing, or take the model from "
                    + "which it was distilled")
        }
    }

    func timestepSpacing(
        for schedule: NoiseSchedule, _ model: LoopyConfiguration
    ) -> Solver.TimestepSpacing {
        switch timestepSpacing {
        case .automatic: schedule.timestepSpacing(for: model)
        case .leading: .leading
        case .trailing: .trailing
        }
    }

    var runsTogether: Bool {
        switch passes {
        case .automatic: device != "cpu"
        case .together: true
        case .apart: false
        }
    }
}
