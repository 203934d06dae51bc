import LoopyModel
import Torch

/// A clip with all its conditions, drawn.
struct ModelInputs {
    var clip: Tensor
    var target: Tensor
    var conditions: Conditions

    /// - Parameter side: the side of the latents.
    init(_ configuration: LoopyConfiguration, side: Int, device: Device) throws {
        let generator = try Generator(seed: 7)
        let (frames, motion) = (configuration.frames, configuration.motionFrames)
        func latents(_ shape: Int...) -> Tensor {
            .normal(shape + [configuration.latentChannels, side, side], generator: generator)
        }
        clip = latents(1, frames)
        target = latents(1, frames)
        conditions = Conditions(
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
        self = on(device)
    }

    func on(_ device: Device) -> ModelInputs {
        var moved = self
        moved.clip = clip.to(device)
        moved.target = target.to(device)
        moved.conditions.reference = conditions.reference.to(device)
        moved.conditions.speech = conditions.speech?.to(device)
        moved.conditions.motionFrames?.latents =
            conditions.motionFrames?.latents.to(device) ?? moved.clip
        if let movement = conditions.movement {
            moved.conditions.movement = .init(
                landmarks: movement.landmarks.to(device),
                headMotion: movement.headMotion.to(device),
                expression: movement.expression.to(device))
        }
        return moved
    }
}
