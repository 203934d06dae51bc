import Errors
import Foundation
import Torch

/// How noise is added, step by step: `z_t = √ᾱ_t z_0 + √(1 - ᾱ_t) ε` (DDPM, Ho et al. 2020, equation 4).
///
/// One object serves training and sampling. Its settings are stored with every checkpoint, and
/// `requireSame` refuses others: published code trains with one schedule and samples with another.
public struct NoiseSchedule: Sendable {
    /// How β grows from its first to its last value.
    public enum Growth: String, Codable, Sendable {
        case linear
        /// Its root grows linearly: Stable Diffusion's.
        case scaledLinear = "scaled_linear"
    }

    /// What the network is asked for.
    public enum Prediction: String, Codable, Sendable {
        /// The noise ε.
        case epsilon
        /// `v = √ᾱ ε - √(1 - ᾱ) z_0` (Salimans and Ho 2022).
        case velocity
    }

    /// The defaults are Stable Diffusion 1.5's.
    public struct Settings: Codable, Sendable, Equatable {
        public var steps = 1000
        public var growth = Growth.scaledLinear
        public var firstBeta = 0.00085
        public var lastBeta = 0.012
        public var prediction = Prediction.epsilon
        /// Whether nothing of the signal is left at the last step (Lin et al. 2024, algorithm 1). Asks
        /// for velocity: noise says nothing about a picture that is not there.
        public var zeroTerminalSnr = false

        public init() {}
    }

    public let settings: Settings
    /// ᾱ by timestep, 0 to `steps - 1`: the part of the variance that is the signal's.
    public let signal: [Double]

    /// - Throws: `LoopyError` `.configuration` for settings that make no schedule.
    public init(_ settings: Settings = Settings()) throws(LoopyError) {
        guard settings.steps >= 2, settings.firstBeta > 0,
            settings.firstBeta <= settings.lastBeta, settings.lastBeta < 1
        else {
            throw LoopyError(
                .configuration,
                "schedule: steps must be 2 or more, and first_beta and last_beta lie between 0 and 1, "
                    + "the last no less than the first")
        }
        guard !settings.zeroTerminalSnr || settings.prediction == .velocity else {
            throw LoopyError(
                .configuration,
                "schedule: zero_terminal_snr asks for prediction: velocity, for at the last step noise "
                    + "is all there is to see")
        }
        self.settings = settings
        var product = 1.0
        let signal = Self.betas(settings).map { beta -> Double in
            product *= 1 - beta
            return product
        }
        self.signal = settings.zeroTerminalSnr ? Self.endingInNoise(signal) : signal
    }

    private static func betas(_ settings: Settings) -> [Double] {
        let isScaled = settings.growth == .scaledLinear
        let first = isScaled ? settings.firstBeta.squareRoot() : settings.firstBeta
        let last = isScaled ? settings.lastBeta.squareRoot() : settings.lastBeta
        return (0..<settings.steps).map { step in
            let value = first + (last - first) * Double(step) / Double(settings.steps - 1)
            return isScaled ? value * value : value
        }
    }

    /// √ᾱ shifted to end at 0, and stretched to begin where it began.
    private static func endingInNoise(_ signal: [Double]) -> [Double] {
        let roots = signal.map { $0.squareRoot() }
        let (first, last) = (roots[0], roots[roots.count - 1])
        return roots.map { root in
            let moved = (root - last) * first / (first - last)
            return moved * moved
        }
    }

    // MARK: Training

    /// `z_t` of clean latents.
    ///
    /// - Parameters:
    ///   - clean, noise: `[B, …]`.
    ///   - timesteps: one a sample.
    public func noised(_ clean: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
        let (signal, noiseShare) = roots(timesteps, like: clean)
        return signal * clean + noiseShare * noise
    }

    /// What the network should say of `z_t`: the noise, or the velocity. Shapes as for `noised`.
    public func target(_ clean: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
        guard settings.prediction == .velocity else { return noise }
        let (signal, noiseShare) = roots(timesteps, like: clean)
        return signal * noise - noiseShare * clean
    }

    /// Weights of the samples' losses by min-SNR (Hang et al. 2023): the loss on the clean picture is
    /// weighted by `min(SNR, γ)`, said in terms of what is predicted.
    ///
    /// - Returns: one a sample.
    public func minimumSNRWeights(at timesteps: [Int], gamma: Double) -> [Double] {
        timesteps.map { step in
            let ratio = signal[step] / (1 - signal[step])
            return switch settings.prediction {
            case .epsilon: min(ratio, gamma) / ratio
            case .velocity: min(ratio, gamma) / (ratio + 1)
            }
        }
    }

    /// √ᾱ and √(1 - ᾱ) by sample, shaped to multiply `[B, …]`.
    private func roots(_ timesteps: [Int], like x: Tensor) -> (signal: Tensor, noise: Tensor) {
        let shape = [timesteps.count] + Array(repeating: 1, count: x.rank - 1)
        func tensor(_ values: [Double]) -> Tensor {
            Tensor(values.map { Float($0.squareRoot()) }, shape: shape, device: x.device)
        }
        return (
            tensor(timesteps.map { signal[$0] }), tensor(timesteps.map { 1 - signal[$0] })
        )
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
        "\(settings.growth.rawValue) \(settings.firstBeta) to \(settings.lastBeta) in "
            + "\(settings.steps) steps, prediction \(settings.prediction.rawValue)"
            + (settings.zeroTerminalSnr ? ", zero terminal SNR" : "")
    }
}
