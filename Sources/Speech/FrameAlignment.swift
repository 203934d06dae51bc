import Torch

/// Says where video frames lie among the steps of an encoder: first on first, last on last, linear
/// between them (`F.interpolate(mode="linear", align_corners=True)`).
///
/// It computes in float32, as PyTorch does: in a long recording the positions are exact to a hundredth of
/// a step, and agreeing with the features that people have is worth more than the rest.
struct FrameAlignment {
    let steps: Int
    let frames: Int
    private let scale: Float

    init(steps: Int, frames: Int) {
        self.steps = steps
        self.frames = frames
        scale = frames > 1 ? Float(steps - 1) / Float(frames - 1) : 0
    }

    private func position(_ frame: Int) -> (step: Int, rest: Float) {
        let position = scale * Float(frame)
        let step = min(steps - 1, Int(position))
        return (step, min(1, max(0, position - Float(step))))
    }

    /// The steps that a range of frames lies between.
    func steps(of range: Range<Int>) -> Range<Int> {
        position(range.lowerBound).step..<min(steps, position(range.upperBound - 1).step + 2)
    }

    /// Interpolates the states of steps to frames.
    ///
    /// - Parameters:
    ///   - states: `[T, …]`, the steps from `first` on.
    ///   - range: frames, whose steps are among them.
    /// - Returns: `[t, …]`, one row a frame of the range.
    func interpolate(_ states: Tensor, from first: Int, to range: Range<Int>) -> Tensor {
        let positions = range.map(position)
        let before = Tensor(positions.map { $0.step - first }, device: states.device)
        let after = Tensor(
            positions.map { min($0.step + 1, steps - 1) - first }, device: states.device)
        let rest = Tensor(
            positions.map(\.rest),
            shape: [range.count] + Array(repeating: 1, count: states.rank - 1),
            device: states.device)
        return states.indexSelect(before, along: 0) * (1 - rest)
            + states.indexSelect(after, along: 0) * rest
    }
}
