import Errors
import Foundation
import Settings
import Torch

/// How noise is added, step by step: `z_t = √ᾱ_t z_0 + √(1 - ᾱ_t) ε` (DDPM, Ho et al. 2020, equation 4).
///
/// One object serves training and sampling. Its settings are stored with every checkpoint, and
/// `requireSame` refuses others: published code trains with one schedule and samples with another.
public struct NoiseSchedule: Sendable {
    /// How β grows from its first to its last value.
    public enum BetaSchedule: String, Codable, Sendable, CaseIterable {
        case linear
        /// The root of β grows linearly, as in Stable Diffusion.
        case scaledLinear = "scaled_linear"
    }

    /// What the network is asked for.
    public enum PredictionType: String, Codable, Sendable, CaseIterable {
        /// The noise ε.
        case epsilon
        /// The velocity `v = √ᾱ ε - √(1 - ᾱ) z_0` (Salimans and Ho 2022).
        case vPrediction = "v_prediction"
    }

    /// The names are those of diffusers' schedulers, and the defaults are Stable Diffusion 1.5's.
    public struct Settings: Codable, Sendable, Equatable {
        public var numTrainTimesteps = 1000
        public var betaSchedule = BetaSchedule.scaledLinear
        public var betaStart = 0.00085
        public var betaEnd = 0.012
        public var predictionType = PredictionType.epsilon
        /// Whether nothing of the signal is left at the last step (Lin et al. 2024, algorithm 1). This
        /// needs `v_prediction`: noise says nothing about a picture that is not there.
        public var rescaleBetasZeroSnr = false

        public init() {}
    }

    public let settings: Settings
    /// ᾱ by timestep, 0 to `numTrainTimesteps - 1`: the part of the variance that is the signal's.
    public let alphasCumprod: [Double]

    /// - Throws: `LoopyError` `.configuration` for settings that make no schedule.
    public init(_ settings: Settings = Settings()) throws(LoopyError) {
        try settings.validate(as: "schedule")
        self.settings = settings
        var product = 1.0
        let alphasCumprod = Self.betas(settings).map { beta -> Double in
            product *= 1 - beta
            return product
        }
        self.alphasCumprod =
            settings.rescaleBetasZeroSnr ? Self.rescaledToZeroSnr(alphasCumprod) : alphasCumprod
    }

    private static func betas(_ settings: Settings) -> [Double] {
        let isScaled = settings.betaSchedule == .scaledLinear
        let first = isScaled ? settings.betaStart.squareRoot() : settings.betaStart
        let last = isScaled ? settings.betaEnd.squareRoot() : settings.betaEnd
        return (0..<settings.numTrainTimesteps).map { timestep in
            let share = Double(timestep) / Double(settings.numTrainTimesteps - 1)
            let value = first + (last - first) * share
            return isScaled ? value * value : value
        }
    }

    /// √ᾱ is shifted to end at 0, and stretched to begin where it began.
    private static func rescaledToZeroSnr(_ alphasCumprod: [Double]) -> [Double] {
        let roots = alphasCumprod.map { $0.squareRoot() }
        let (first, last) = (roots[0], roots[roots.count - 1])
        return roots.map { root in
            let moved = (root - last) * first / (first - last)
            return moved * moved
        }
    }

    // MARK: Training

    /// Adds noise to clean latents: `z_t`.
    ///
    /// - Parameters:
    ///   - clean, noise: `[B, …]`.
    ///   - timesteps: a timestep for each sample.
    public func addNoise(_ clean: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
        let (signalRoot, noiseRoot) = roots(timesteps, like: clean)
        return signalRoot * clean + noiseRoot * noise
    }

    /// What the network should say of `z_t`: the noise, or the velocity. Shapes are those of `addNoise`.
    public func target(_ clean: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
        guard settings.predictionType == .vPrediction else { return noise }
        let (signalRoot, noiseRoot) = roots(timesteps, like: clean)
        return signalRoot * noise - noiseRoot * clean
    }

    /// Weights of the samples' losses by min-SNR (Hang et al. 2023): the loss on the clean picture is
    /// weighted by `min(SNR, γ)`, said in terms of what is predicted.
    ///
    /// - Returns: a weight for each sample.
    public func minSNRWeights(at timesteps: [Int], gamma: Double) -> [Double] {
        timesteps.map { timestep in
            let ratio = alphasCumprod[timestep] / (1 - alphasCumprod[timestep])
            return switch settings.predictionType {
            case .epsilon: min(ratio, gamma) / ratio
            case .vPrediction: min(ratio, gamma) / (ratio + 1)
            }
        }
    }

    /// √ᾱ and √(1 - ᾱ) by sample, shaped to multiply `[B, …]`.
    private func roots(_ timesteps: [Int], like x: Tensor) -> (signal: Tensor, noise: Tensor) {
        let shape = [timesteps.count] + Array(repeating: 1, count: x.rank - 1)
        func tensor(_ values: [Double]) -> Tensor {
            Tensor(values.map { Float($0.squareRoot()) }, shape: shape, device: x.device)
        }
        let signals = timesteps.map { alphasCumprod[$0] }
        return (tensor(signals), tensor(signals.map { 1 - $0 }))
    }

    // MARK: Checkpoints

    /// - Throws: `LoopyError` `.mismatch` that names what differs, when a checkpoint was trained
    ///   with other settings.
    public func requireSame(as stored: Settings, in checkpoint: String) throws(LoopyError) {
        guard settings != stored else { return }
        throw LoopyError(
            .mismatch,
            "\(checkpoint): was trained with the noise schedule \(Self.words(stored)), not "
                + "\(Self.words(settings)); take the checkpoint's, or train anew")
    }

    private static func words(_ settings: Settings) -> String {
        "\(settings.betaSchedule.rawValue) \(settings.betaStart) to \(settings.betaEnd) in "
            + "\(settings.numTrainTimesteps) steps, prediction \(settings.predictionType.rawValue)"
            + (settings.rescaleBetasZeroSnr ? ", zero terminal SNR" : "")
    }
}
