import Torch

/// Weights of the loss at the pixels of latents: one nearly everywhere, and more at the mouth, which is a
/// small part of the picture and nearly all of what speech moves.
///
/// The weight falls off as a Gaussian from the middle of the mouth. Its widths follow the mouth's, so
/// that the lips stay inside of it however far they open.
///
/// - Parameters:
///   - landmarks: iBUG 68 key points, in parts of the crop's side: `[B, F, 68, 2]`.
///   - side: the side of the latents, in pixels.
///   - weight: the weight in the middle of the mouth.
/// - Returns: `[B, F, 1, side, side]`.
package func mouthWeights(_ landmarks: Tensor, side: Int, weight: Double) -> Tensor {
    let mouth = landmarks[.all, .all, 48..<68]
    let middle = mouth.mean([2])
    let corners = landmarks[.all, .all, 54] - landmarks[.all, .all, 48]
    let width = (corners.square().sum([2]).sqrt()).clamped(0.05)
    let pixels = (Tensor.arange(0..<side, type: .float32) + 0.5) / Double(side)
    /// Squares of distances along an axis, in widths of the mouth: `[B, F, side]`.
    func squares(_ axis: Int) -> Tensor {
        let distances = pixels - middle[.all, .all, axis].unsqueezed(2)
        return (distances / width.unsqueezed(2)).square()
    }
    // The Gaussian's standard deviations, in widths of the mouth.
    let across = 0.5, down = 0.45
    let distances =
        squares(0).unsqueezed(2) / (2 * across * across)
        + squares(1).unsqueezed(3) / (2 * down * down)
    return ((-distances).exp() * (weight - 1) + 1).unsqueezed(2)
}
