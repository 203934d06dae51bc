import Diffusion
import LoopyModel
import Testing
import Torch

/// On the small model of the reference, whose passes are compared with PyTorch's elsewhere.
@Suite struct DistillationTests {
    private let reference: Reference
    private let teacher: LoopyNet
    private let schedule: NoiseSchedule
    /// The conditions of four samples, as in use: motion latents come from speech.
    private let conditions: Conditions
    private let clean: Tensor, noise: Tensor
    /// Timesteps that lie in solver steps 0, 1, 2 and 3 of four.
    private let timesteps = [900, 700, 300, 20]
    private let beginnings = [999, 749, 499, 249]

    init() throws {
        reference = try Reference()
        teacher = try reference.model().model
        var settings = NoiseSchedule.Settings()
        (settings.predictionType, settings.rescaleBetasZeroSnr) = (.vPrediction, true)
        schedule = try NoiseSchedule(settings)
        var conditions = try reference.conditions("audio")
        conditions.movement = nil
        self.conditions = conditions
        clean = try reference.latents
        noise = Tensor.normal(clean.shape, generator: try Generator(seed: 3))
    }

    private func distillation(_ guidance: Guidance = Guidance()) throws -> Distillation {
        try Distillation(teacher, guidance, schedule, steps: 2, solverSteps: 4)
    }

    private func pass(
        _ model: LoopyNet, _ latents: Tensor, _ timesteps: [Int], audio: Bool = true,
        reference: Bool = true
    ) -> Tensor {
        var changed = conditions
        for sample in changed.masks.indices {
            changed.masks[sample].audio = !audio
            changed.masks[sample].reference = !reference
        }
        return model(latents, Tensor(timesteps.map(Int64.init)), changed)
    }

    /// The paper's sum of three passes.
    private func guided(_ latents: Tensor, _ timesteps: [Int]) -> Tensor {
        let all = pass(teacher, latents, timesteps)
        let silent = pass(teacher, latents, timesteps, audio: false)
        let base = pass(teacher, latents, timesteps, audio: false, reference: false)
        return (all - silent) * 5.0 + (silent - base) * 3.0 + base
    }

    /// √ᾱ and √(1 - ᾱ) at timesteps, a pair for each sample.
    private func levels(_ timesteps: [Int]) -> (alpha: Tensor, sigma: Tensor) {
        func tensor(_ value: (Double) -> Double) -> Tensor {
            Tensor(
                timesteps.map { Float(value(schedule.alphasCumprod[$0]).squareRoot()) },
                shape: [timesteps.count, 1, 1, 1, 1])
        }
        return (tensor { $0 }, tensor { 1 - $0 })
    }

    /// DDIM by what it sees of clean latents and noise.
    private func ddim(_ z: Tensor, _ v: Tensor, _ start: [Int], _ end: [Int]) -> Tensor {
        let (alpha, sigma) = levels(start)
        let next = levels(end)
        return next.alpha * (alpha * z - sigma * v) + next.sigma * (sigma * z + alpha * v)
    }

    @Test func theFirstPhaseComparesWithTheGuidedTeacher() throws {
        let (model, _) = try reference.model(recording: true)
        let loss = try distillation().loss(
            model, clean, noise: noise, timesteps: timesteps, conditions, in: .guidance)
        let noisy = schedule.addNoise(clean, noise, at: beginnings)
        let expected = mseLoss(pass(teacher, noisy, beginnings), guided(noisy, beginnings))
        #expect(expected.scalar > 1e-3)
        #expect(abs(loss.scalar - expected.scalar) < 1e-4 * expected.scalar)
    }

    @Test func whereTheTeacherIsNotGuidedOnePassIsTheTarget() throws {
        var guidance = Guidance()
        (guidance.first, guidance.last) = (0.5, 1)
        let noisy = schedule.addNoise(clean, noise, at: beginnings)
        let all = pass(teacher, noisy, beginnings), sum = guided(noisy, beginnings)
        // The student is its teacher: it errs in the guided half alone.
        let expected = (all - sum)[2..<4].square().mean().scalar / 2
        let loss = try distillation(guidance).loss(
            teacher, clean, noise: noise, timesteps: timesteps, conditions, in: .guidance)
        #expect(abs(loss.scalar - expected) < 1e-4 * expected)
    }

    @Test func theSecondPhaseGoesOnByTheModelItselfWithoutGradient() throws {
        let (model, store) = try reference.model(recording: true)
        // Not the teacher's weights, so that the two are told apart.
        withoutGradient { for (_, tensor) in store.parameters { tensor.assign(tensor * 1.02) } }
        let noisy = schedule.addNoise(clean, noise, at: beginnings)
        let target = withoutGradient { () -> Tensor in
            // Solver steps 1 and 3 end their segments.
            let next = ddim(
                noisy, guided(noisy, beginnings), beginnings, [749, 499, 249, 0])
            let further = ddim(
                next, pass(model, next, [749, 499, 249, 0]), [749, 499, 249, 0],
                [499, 499, 0, 0])
            let end = concatenated(
                [further[0..<1], next[1..<2], further[2..<3], next[3..<4]], along: 0)
            // The prediction that leads there, in terms of the angle between signal and noise.
            let (start, stop) = (levels(beginnings), levels([499, 499, 0, 0]))
            let cosine = start.alpha * stop.alpha + start.sigma * stop.sigma
            let sine = start.sigma * stop.alpha - start.alpha * stop.sigma
            return (noisy * cosine - end) / sine
        }
        let expected = mseLoss(pass(model, noisy, beginnings), target)
        expected.backward()
        let name = "denoising_net.conv_in.weight"
        let weight = try #require(store[name])
        let gradient = try #require(weight.gradient).copy()

        let loss = try distillation().loss(
            model, clean, noise: noise, timesteps: timesteps, conditions, in: .consistency)
        #expect(abs(loss.scalar - expected.scalar) < 1e-3 * expected.scalar)
        loss.backward()
        // Gradients add up.
        #expect(relativeError(try #require(weight.gradient) - gradient, gradient) < 1e-2)
    }

    /// A model as it is drawn, but for audio attention, which would begin at zero.
    private func drawn() throws -> (model: LoopyNet, store: ParameterStore) {
        let store = ParameterStore(drawing: try Generator(seed: 7))
        let model = try LoopyNet(store.root, reference.configuration)
        let generator = try Generator(seed: 8)
        withoutGradient {
            for (name, weight) in store.parameters where name.contains("audio_attn.to_out") {
                weight.assign(Tensor.normal(weight.shape, generator: generator) * 0.1)
            }
        }
        return (model, store)
    }

    @Test func aStudentComesToPredictWhatGuidanceMakesOfItsTeacher() throws {
        let teacher = try drawn().model
        let (model, store) = try drawn()
        store.requireGradients()
        var guidance = Guidance()
        (guidance.audioRatio, guidance.referenceRatio) = (2, 1)
        let distillation = try Distillation(
            teacher, guidance, schedule, steps: 2, solverSteps: 4)
        let optimiser = AdamW(store.parameters.filter { $0.name.contains("audio") })
        let noisy = schedule.addNoise(
            clean, Tensor.normal(clean.shape, generator: try Generator(seed: 99)), at: beginnings)
        let all = pass(teacher, noisy, beginnings)
        let silent = pass(teacher, noisy, beginnings, audio: false)
        let right = all * 2.0 - silent
        func error() -> Double {
            withoutGradient { relativeError(pass(model, noisy, beginnings), right) }
        }
        let before = error()
        let generator = try Generator(seed: 4)
        for _ in 0..<25 {
            // Other noise than that on which the two are compared.
            let noise = Tensor.normal(clean.shape, generator: generator)
            distillation.loss(
                model, clean, noise: noise, timesteps: timesteps, conditions, in: .guidance
            ).backward()
            optimiser.step(learningRate: 3e-3)
            optimiser.zeroGradients()
        }
        #expect(error() < 0.6 * before, "\(before) \(error())")
    }
}
