import Foundation
import Torch

/// A timestep as a vector: sinusoids of growing wavelength, then two linear layers. (diffusers'
/// `Timesteps` with `flip_sin_to_cos` and no shift, and `TimestepEmbedding`.)
public struct TimestepEmbedding {
    private let linear1: Linear
    private let linear2: Linear
    private let channels: Int

    /// - Parameters:
    ///   - channels: the number of channels of the sinusoids.
    ///   - width: E, the width of the embedding.
    public init(_ scope: Scope, channels: Int, width: Int) {
        linear1 = Linear(scope["linear_1"], channels, width)
        linear2 = Linear(scope["linear_2"], width, width)
        self.channels = channels
    }

    /// - Parameter timesteps: `[B]`.
    /// - Returns: `[B, E]`.
    public func callAsFunction(_ timesteps: Tensor) -> Tensor {
        linear2(linear1(sinusoids(timesteps)).silu())
    }

    /// Cosines, then sines, of wavelengths from 2π to 20000π: `[B, channels]`.
    private func sinusoids(_ timesteps: Tensor) -> Tensor {
        let half = channels / 2
        let exponents = Tensor.arange(0..<half, type: .float32, device: timesteps.device)
        let frequencies = (exponents * (-log(10_000.0) / Double(half))).exp()
        let angles = timesteps.to(.float32).unsqueezed(1) * frequencies
        return concatenated([angles.cos(), angles.sin()], along: 1)
    }
}
