import Diffusion
import LoopyModel
import Media
import Runs
import Torch

/// Pictures of what a model makes of held-out windows on its way: the same windows and the same noise each
/// time, so that a person sees what training changes.
///
/// A window takes two rows: the reference and frames of the truth, and below them the same frames as they
/// were generated.
struct ValidationSamples {
    private let windows: [ClipWindow]
    private let settings: TrainingSettings
    private let codec: any LatentCodec
    private let solver: Solver
    private let device: Device

    /// The most frames of a window that are shown.
    private static let columns = 6

    /// - Parameter windows: the held-out windows, of which the first are sampled.
    /// - Throws: `LoopyError` `.configuration` for more steps than the schedule has.
    init(
        _ windows: [ClipWindow], _ settings: TrainingSettings, _ schedule: NoiseSchedule,
        _ codec: any LatentCodec, _ device: Device
    ) throws {
        self.windows = Array(windows.prefix(settings.validation.samples))
        self.settings = settings
        self.codec = codec
        self.device = device
        solver = try Solver(
            schedule, settings.samplingOfModel.solver,
            numInferenceSteps: settings.samplingOfModel.numInferenceSteps,
            timestepSpacing: schedule.timestepSpacing(for: settings.model))
    }

    /// Samples the windows and draws them.
    ///
    /// - Throws: what the windows' draws throw.
    func draw(_ model: LoopyNet) throws -> Canvas {
        let frames = windows.map { $0.latents.length(0) }.max() ?? 1
        let shown = min(Self.columns, frames)
        let chosen = (0..<shown).map { ($0 * (frames - 1)) / max(1, shown - 1) }
        var rows: [[Tensor]] = []
        for (number, window) in windows.enumerated() {
            let batch = try TrainingBatch(
                fixed: window, number: number, of: windows.count, settings: settings,
                device: device)
            let generated = try sample(model, batch, number: number)
            let reference = codec.decode(batch.conditions.reference)
            let black = reference * 0 - 1
            rows.append(
                [reference]
                    + chosen.map { codec.decode(batch.latents[.all, $0]) })
            rows.append([black] + chosen.map { codec.decode(generated[.all, $0]) })
        }
        return Self.canvas(rows)
    }

    /// `[1, F, C, h, w]`.
    private func sample(
        _ model: LoopyNet, _ batch: TrainingBatch, number: Int
    ) throws -> Tensor {
        let generator = try Generator(seed: UInt64(number))
        let noise = Tensor.normal(batch.latents.shape, generator: generator).to(device)
        let isVideo = settings.model.stage.isVideo
        var guidance = settings.samplingOfModel.guidance
        if !isVideo { guidance.audioRatio = guidance.referenceRatio }
        return settings.precision.resolved(on: settings.device).computing(on: device) {
            GuidedModel(model, batch.conditions, guidance)
                .sample(noise, solver, generator: generator)
        }
    }

    private static func canvas(_ rows: [[Tensor]]) -> Canvas {
        let side = rows.first?.first?.length(2) ?? 1, columns = rows.first?.count ?? 1
        var canvas = Canvas(
            width: columns * side, height: max(1, rows.count) * side, fill: .init(0, 0, 0))
        for (row, pictures) in rows.enumerated() {
            for (column, picture) in pictures.enumerated() {
                canvas.paste(
                    picture.levels.to(.float32).array(), x: column * side, y: row * side,
                    width: side, height: side)
            }
        }
        return canvas
    }
}
