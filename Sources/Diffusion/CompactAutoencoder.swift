import Errors
import Torch
import Weights

// Shapes: B pictures, C channels of the latents, H W rows and columns of pixels, h w of latents.

/// A small autoencoder that one processor trains in minutes: pictures to latents of an eighth of the side,
/// and back.
///
/// Nothing is convolved at full resolution and nothing is normalised on the way, which is what other
/// autoencoders spend most of their time on without a GPU: pictures come in as squares of 4 by 4 pixels,
/// and go out as squares of 2 by 2. The latents have mean 0 and variance 1 in every channel, over the
/// pictures that it was fitted on, and the decoder has learnt to make the same picture of latents with
/// some noise: what is wrong in a diffusion model's latents does not become grain.
public struct CompactAutoencoder: LatentCodec {
    public let channels: Int
    public let factor = 8

    let encoder: Encoder
    let decoder: Decoder
    /// `[C]`: what the encoder's output is shifted and divided by.
    let mean: Tensor, deviation: Tensor

    public init(_ scope: Scope, channels: Int) {
        self.channels = channels
        encoder = Encoder(scope["encoder"], channels)
        decoder = Decoder(scope["decoder"], channels)
        mean = scope.parameter("latents_mean", [channels], .constant(0))
        deviation = scope.parameter("latents_std", [channels], .constant(1))
    }

    public func encode(_ images: Tensor) -> Tensor {
        normalised(encoder(images.to(.float32)), mean, deviation)
    }

    public func decode(_ latents: Tensor) -> Tensor { decoder(latents.to(.float32)) }

    func normalised(_ features: Tensor, _ mean: Tensor, _ deviation: Tensor) -> Tensor {
        (features - mean.reshaped(1, -1, 1, 1)) / deviation.reshaped(1, -1, 1, 1)
    }

    /// `[B, 3, H, W]` to `[B, C, h, w]`, not yet normalised.
    struct Encoder {
        private let convIn: Convolution
        private let fine: [Residual]
        private let downsampling: Convolution
        private let coarse: [Residual]
        private let convOut: Convolution

        init(_ scope: Scope, _ channels: Int) {
            let (fine, coarse) = (64, 96)
            convIn = .init(scope["conv_in"], 3 * 16, fine)
            self.fine = (0..<2).map { Residual(scope["fine"][$0], fine) }
            downsampling = Convolution(
                scope["downsampler"], fine, coarse, size: [3, 3], stride: [2, 2], padding: [1, 1])
            self.coarse = (0..<2).map { Residual(scope["coarse"][$0], coarse) }
            convOut = .init(scope["conv_out"], coarse, channels)
        }

        func callAsFunction(_ images: Tensor) -> Tensor {
            var x = convIn(pixelUnshuffle(images, 4).channelsLast())
            for residual in fine { x = residual(x) }
            x = downsampling(x)
            for residual in coarse { x = residual(x) }
            return convOut(x.silu())
        }
    }

    /// `[B, C, h, w]` to `[B, 3, H, W]`.
    struct Decoder {
        private let convIn: Convolution
        private let levels: [(residuals: [Residual], upsampling: Upsampling?)]
        private let convOut: Convolution

        init(_ scope: Scope, _ channels: Int) {
            let widths = [128, 64, 32], counts = [2, 2, 1]
            convIn = .init(scope["conv_in"], channels, widths[0])
            levels = widths.indices.map { level in
                let part = scope["levels"][level]
                return (
                    (0..<counts[level]).map { Residual(part["residuals"][$0], widths[level]) },
                    level == widths.count - 1
                        ? nil : Upsampling(part["upsampler"], widths[level], to: widths[level + 1])
                )
            }
            convOut = .init(scope["conv_out"], widths[2], 3 * 4)
        }

        func callAsFunction(_ latents: Tensor) -> Tensor {
            var x = convIn(latents.channelsLast())
            for level in levels {
                for residual in level.residuals { x = residual(x) }
                x = level.upsampling?(x) ?? x
            }
            return pixelShuffle(convOut(x.silu()), 2)
        }
    }

    /// Two convolutions with a way around them, which begin as nothing.
    struct Residual {
        private let conv1: Convolution, conv2: Convolution

        init(_ scope: Scope, _ channels: Int) {
            conv1 = .init(scope["conv1"], channels, channels)
            conv2 = .init(scope["conv2"], channels, channels, initial: .constant(0))
        }

        func callAsFunction(_ x: Tensor) -> Tensor { x + conv2(conv1(x.silu()).silu()) }
    }
}

extension Convolution {
    /// 3 by 3, of the same size.
    fileprivate init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, initial: InitialValues? = nil
    ) {
        self.init(scope, inputs, outputs, size: [3, 3], padding: [1, 1], initial: initial)
    }
}

// The codec as a safetensors file, which belongs to the model that learnt its latents.
extension CompactAutoencoder {
    private static let format = "loopy.compact-autoencoder"
    private static let version = "1"

    /// - Throws: `LoopyError` `.malformed` for a file of something else, of another version, or of
    ///   weights that are none of this codec.
    public init(_ file: Checkpoint, device: Device = .cpu) throws(LoopyError) {
        guard file.metadata["format"] == Self.format, file.metadata["version"] == Self.version,
            let mean = file.tensor("latents_mean"), mean.shape.count == 1, mean.shape[0] > 0
        else {
            throw LoopyError(
                .malformed,
                "\(file.path): is no compact autoencoder of version \(Self.version): the file is of "
                    + "something else, or damaged; make it again")
        }
        do {
            // Copied: the file may be replaced or cut while the codec lives.
            let store = ParameterStore(drawing: try Generator(seed: 0, device: device))
            self.init(store.root, channels: mean.shape[0])
            let covered = try store.assign(file)
            guard let missing = store.names.first(where: { !covered.contains($0) }) else { return }
            throw LoopyError(.malformed, "\(file.path): lacks the weight '\(missing)'")
        } catch let error as LoopyError {
            throw error
        } catch {
            throw LoopyError(.malformed, "\(file.path): \(error)")
        }
    }

    /// Hands a file of weights to the sink piece by piece, in half precision.
    static func write(
        _ store: ParameterStore, to sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try SafeTensors.write(
            tensors: store.parameters.map { ($0.name, $0.tensor.to(.cpu).to(.float16)) },
            metadata: ["format": format, "version": version], to: sink)
    }
}
