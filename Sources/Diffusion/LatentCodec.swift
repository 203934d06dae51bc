import Torch

/// What turns pictures into latents and back.
public protocol LatentCodec {
    /// Of the latents.
    var channels: Int { get }
    /// Pixels per place of the latents, along each side.
    var factor: Int { get }
    /// - Parameter images: `[B, 3, H, W]`, -1 to 1; H and W multiples of `factor`.
    /// - Returns: `[B, channels, H / factor, W / factor]`, scaled to about unit variance.
    func encode(_ images: Tensor) -> Tensor
    /// - Returns: `[B, 3, H, W]`, not clamped.
    func decode(_ latents: Tensor) -> Tensor
}
