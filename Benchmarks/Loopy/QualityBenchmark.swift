import Diffusion
import Foundation
import Generation
import LoopyModel
import Runs
import Torch

/// How far the latents of the model `small` are from those of 50 steps of UniPC, and how long they take: the
/// first clips of a video, each with the motion frames of its own way.
///
/// - Parameter distilled: a run or an exported model that was distilled of `small`, to be sampled too.
func benchmarkQuality(
    _ portrait: String, _ speech: String, _ ways: [SamplingWay], distilled: String?
) throws {
    let trained = try TrainedModel(folder: "Models/small")
    var settings = GenerationSettings(sampling: trained.description.sampling)
    let model = try PortraitModel(trained, settings)
    let cropped = try CroppedPortrait(
        portrait, .judged, settings, clipSide: model.clipSide, side: model.side)
    let reference = model.encode(cropped)
    let audio = try SpokenAudio(speech)
    var heard: [Tensor] = []
    try audio.clips(of: model.model.configuration.frames, by: model.speech) { heard.append($0) }

    func sample(
        _ model: PortraitModel, _ settings: GenerationSettings
    ) throws -> (latents: Tensor, seconds: Double) {
        var sampler = try VideoSampler(model.model, model.schedule, settings, reference: reference)
        let started = ContinuousClock.now
        let clips = try heard.prefix(3).map { try sampler.next(speech: $0, PartTimes()) }
        let latents = concatenated(clips, along: 0)
        let spent = (ContinuousClock.now - started) / .seconds(1)
        return (latents, spent / Double(latents.length(0)))
    }
    (settings.solver, settings.numInferenceSteps) = (.unipc, 50)
    let right = try sample(model, settings).latents
    let range = (right.amax() + (right * -1).amax()).scalar
    func show(_ way: String, _ found: (latents: Tensor, seconds: Double)) {
        let error = (found.latents - right).square().mean().scalar
        let psnr = 10 * log10(range * range / error)
        print(
            String(
                format: "{\"way\": \"%@\", \"psnr\": %.2f, \"s_frame\": %.4f}", way, psnr,
                found.seconds))
    }
    let guidance = settings.guidance
    for way in ways {
        (settings.solver, settings.numInferenceSteps) = (way.solver, way.steps)
        settings.cacheInterval = way.cacheInterval
        settings.guidance = guidance
        if let guided = way.guided {
            (settings.guidance.first, settings.guidance.last) = guided
        }
        show(way.text, try sample(model, settings))
    }
    if let distilled {
        let trained = try TrainedModel(path: distilled)
        let settings = GenerationSettings(sampling: trained.description.sampling)
        show("distilled", try sample(PortraitModel(trained, settings), settings))
    }
}
