import Foundation
import LoopyModel
import Torch

/// `bench-model forward|step [recomputing]`: what loopy_model.py does, by Loopy. Prints seconds as JSON:
/// a median without gradients, or one of the loss and the gradient of every parameter.
@main
struct BenchModel {
    private static let runs = 5

    static func main() throws {
        let what = CommandLine.arguments.dropFirst().first ?? "forward"
        let recomputing = CommandLine.arguments.contains("recomputing")
        Torch.threads = 2
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

        if what == "step" { store.requireGradients() }
        var seconds: [Double] = []
        for _ in 0...runs {
            let start = ContinuousClock.now
            if what == "step" {
                for (_, weight) in store.parameters { weight.gradient = nil }
                let prediction = model(clip, timesteps, conditions, recomputing: recomputing)
                meanSquaredError(prediction, target).backward()
            } else {
                _ = withoutGradient { model(clip, timesteps, conditions) }
            }
            seconds.append((ContinuousClock.now - start) / .seconds(1))
        }
        let median = seconds.dropFirst().sorted()[runs / 2]
        print("{\"\(what)_s\": \(median)}")
    }
}
