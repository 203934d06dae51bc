import Foundation
import Torch

/// What turns pictures into latents and back: a diffusion model works on fewer and larger pixels. `B` batch, `H W` rows and columns of pixels.
public protocol LatentCodec {
    /// The number of channels of the latents.
    var channels: Int { get }
    /// The number of pixels along each side that one pixel of the latents stands for.
    var factor: Int { get }
    /// Encodes `[B, 3, H, W]` in -1...1 to `[B, channels, H / factor, W / factor]`, scaled to about unit
    /// variance.
    func encode(_ images: Tensor) -> Tensor
    /// Decodes to `[B, 3, H, W]`, which is not clamped.
    func decode(_ latents: Tensor) -> Tensor
}

extension LatentCodec {
    /// What is left of pictures `[B, 3, H, W]` in -1...1 after encoding and decoding, both rounded
    /// to 0...255: the peak signal-to-noise ratio in dB over all of them; infinite where every pixel
    /// is the same.
    public func psnr(of images: Tensor) -> Double {
        withoutGradient {
            func pixels(_ images: Tensor) -> Tensor {
                ((images.to(.float64) + 1.0) * 127.5 + 0.5).floor().clamped(0, 255)
            }
            let error = (pixels(decode(encode(images))) - pixels(images)).square().mean().scalar
            return 10 * log10(255 * 255 / error)
        }
    }
}

extension Tensor {
    /// The levels of a picture `[1, 3, H, W]` in -1...1, rounded: uint8 `[H, W, 3]`.
    public var levels: Tensor {
        // Truncated, so half a level more rounds.
        (self[0].permuted(1, 2, 0) * 127.5 + 128.0).clamped(0, 255).to(.uint8).contiguous()
    }
}
