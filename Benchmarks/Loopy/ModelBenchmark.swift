import Diffusion
import LoopyModel
import Torch

/// The model `tiny` with random weights, and a clip with all its conditions.
private struct TinyModel {
    let store: ParameterStore
    let model: LoopyNet
    let inputs: ModelInputs

    init() throws {
        let configuration = LoopyConfiguration.tiny
        store = ParameterStore(drawing: try Generator(seed: 0))
        model = try LoopyNet(store.root, configuration)
        inputs = try ModelInputs(configuration, side: 32, device: .cpu)
    }
}

/// What loopy_model.py does, by Loopy: seconds without gradients, or of the loss and the gradient of
/// every parameter.
func benchmarkModel(step: Bool, gradientCheckpointing: Bool) throws -> Double {
    let tiny = try TinyModel()
    let timesteps = Tensor([Float(500)])
    if step { tiny.store.requireGradients() }
    return median(on: .cpu, runs: 5) {
        if step {
            for (_, weight) in tiny.store.parameters { weight.gradient = nil }
            let prediction = tiny.model(
                tiny.inputs.clip, timesteps, tiny.inputs.conditions,
                gradientCheckpointing: gradientCheckpointing)
            mseLoss(prediction, tiny.inputs.target).backward()
        } else {
            _ = withoutGradient { tiny.model(tiny.inputs.clip, timesteps, tiny.inputs.conditions) }
        }
    }
}

/// How a clip is sampled.
enum SamplingOrder: String {
    case apart, together
    /// Nothing is reused: every pass of every step runs the reference net again.
    case plain
}

/// Seconds a frame of sampling one clip in ten steps.
func benchmarkSampling(_ order: SamplingOrder) throws -> Double {
    let tiny = try TinyModel()
    let solver = try Solver(NoiseSchedule(), numInferenceSteps: 10)
    let guidance = Guidance()
    let generator = try Generator(seed: 1)
    let seconds = median(on: .cpu, runs: 3) {
        withoutGradient {
            guard order == .plain else {
                _ = GuidedModel(
                    tiny.model, tiny.inputs.conditions, guidance, together: order == .together
                ).sample(tiny.inputs.clip, solver, generator: generator)
                return
            }
            var path = solver.begin(tiny.inputs.clip)
            while let timestep = path.timestep {
                func pass(audio: Bool, reference: Bool) -> Tensor {
                    var conditions = tiny.inputs.conditions
                    conditions.masks[0].audio = !audio
                    conditions.masks[0].reference = !reference
                    return tiny.model(path.latents, Tensor([Int64(timestep)]), conditions)
                }
                let all = pass(audio: true, reference: true)
                let silent = pass(audio: false, reference: true)
                let base = pass(audio: false, reference: false)
                let prediction =
                    (all - silent) * guidance.audioRatio
                    + (silent - base) * guidance.referenceRatio + base
                path.step(prediction: prediction)
            }
        }
    }
    return seconds / Double(tiny.inputs.clip.length(1))
}
