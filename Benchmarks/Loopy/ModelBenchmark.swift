import LoopyModel
import Torch

/// What loopy_model.py does, by Loopy: seconds without gradients, or of the loss and the gradient of
/// every parameter.
func benchmarkModel(step: Bool, recomputing: Bool) throws -> Double {
    let runs = 5
    let configuration = LoopyConfiguration.tiny
    let generator = try Generator(seed: 0)
    let store = ParameterStore(drawing: generator)
    let model = try LoopyModel(store.root, configuration)
    let frames = configuration.frames, motion = configuration.motionFrames
    func latents(_ shape: Int...) -> Tensor {
        .normal(shape + [configuration.latentChannels, 32, 32], generator: generator)
    }
    let clip = latents(1, frames), target = latents(1, frames)
    var conditions = Conditions(
        reference: latents(1),
        motionFrames: .init(
            latents: latents(1, motion),
            isPresent: [Array(repeating: true, count: motion)]),
        speech: .normal(
            [1, frames, 5, configuration.speechLayers, configuration.speechChannels],
            generator: generator))
    conditions.movement = .init(
        landmarks: .uniform([1, frames, 68, 2], generator: generator),
        headMotion: Tensor([Float(1e-4)]), expression: Tensor([Float(1e-5)]))
    let timesteps = Tensor([Float(500)])

    if step { store.requireGradients() }
    var seconds: [Double] = []
    for _ in 0...runs {
        let start = ContinuousClock.now
        if step {
            for (_, weight) in store.parameters { weight.gradient = nil }
            let prediction = model(clip, timesteps, conditions, recomputing: recomputing)
            meanSquaredError(prediction, target).backward()
        } else {
            _ = withoutGradient { model(clip, timesteps, conditions) }
        }
        seconds.append((ContinuousClock.now - start) / .seconds(1))
    }
    return seconds.dropFirst().sorted()[runs / 2]
}
