import Diffusion
import Foundation
import Generation
import LoopyModel
import Runs
import Torch

/// How far the latents of the model `small` are from those of 50 steps of UniPC, and how long they take: the
/// first clips of a video, each with the motion frames of its own way.
///
///     bench-loopy quality PORTRAIT SPEECH [SOLVER:STEPS[:FIRST:LAST]…]
///
/// FIRST and LAST are the part of the steps that is guided.
func benchmarkQuality(_ portrait: String, _ speech: String, _ ways: [String]) throws {
    let trained = try TrainedModel(folder: "Models/small")
    var settings = GenerationSettings(sampling: trained.description.sampling)
    let model = try PortraitModel(trained, settings)
    let cropped = try CroppedPortrait(
        portrait, .judged, settings, clipSide: model.clipSide, side: model.side)
    let reference = model.encode(cropped)
    let audio = try SpokenAudio(speech)
    var heard: [Tensor] = []
    try audio.clips(of: model.model.configuration.frames, by: model.speech) { heard.append($0) }

    func sample() throws -> (latents: Tensor, seconds: Double) {
        var sampler = try VideoSampler(model.model, model.schedule, settings, reference: reference)
        let started = ContinuousClock.now
        let clips = try heard.prefix(3).map { try sampler.next(speech: $0, PartTimes()) }
        let latents = concatenated(clips, along: 0)
        let spent = (ContinuousClock.now - started) / .seconds(1)
        return (latents, spent / Double(latents.length(0)))
    }
    (settings.solver, settings.numInferenceSteps) = (.unipc, 50)
    let right = try sample().latents
    let range = (right.amax() + (right * -1).amax()).scalar
    let guidance = settings.guidance
    for way in ways {
        let parts = way.split(separator: ":").map(String.init)
        guard parts.count == 2 || parts.count == 4, let steps = Int(parts[1]),
            let solver = Solver.Method(rawValue: parts[0])
        else { fatalError("SOLVER:STEPS[:FIRST:LAST], not \(way)") }
        (settings.solver, settings.numInferenceSteps) = (solver, steps)
        settings.guidance = guidance
        if parts.count == 4 {
            settings.guidance.first = Double(parts[2]) ?? 0
            settings.guidance.last = Double(parts[3]) ?? 1
        }
        let found = try sample()
        let error = (found.latents - right).square().mean().scalar
        let psnr = 10 * log10(range * range / error)
        print(
            String(
                format: "{\"way\": \"%@\", \"psnr\": %.2f, \"s_frame\": %.4f}", way, psnr,
                found.seconds))
    }
}
