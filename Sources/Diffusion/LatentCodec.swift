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
