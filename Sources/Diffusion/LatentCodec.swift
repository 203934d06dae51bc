import Torch

/// What turns pictures into latents and back: a diffusion model works on fewer, broader places than
/// pixels. `B` batch, `H W` rows and columns of pixels.
public protocol LatentCodec {
    /// Of the latents.
    var channels: Int { get }
    /// Pixels per latent place, along each side.
    var factor: Int { get }
    /// `[B, 3, H, W]` in -1...1 to `[B, channels, H / factor, W / factor]`, scaled to about unit
    /// variance.
    func encode(_ images: Tensor) -> Tensor
    /// Back to `[B, 3, H, W]`; not clamped.
    func decode(_ latents: Tensor) -> Tensor
}
