import Torch

/// Where video frames lie among the steps of an encoder: first on first, last on last, linear between
/// them (`F.interpolate(mode="linear", align_corners=True)`).
///
/// In float32, as PyTorch computes it: in a long recording the places are exact to a hundredth of a
/// step, and agreeing with the features that people have is worth more than the rest.
struct FrameAlignment {
    let steps: Int
    let frames: Int
    private let scale: Float

    init(steps: Int, frames: Int) {
        self.steps = steps
        self.frames = frames
        scale = frames > 1 ? Float(steps - 1) / Float(frames - 1) : 0
    }

    private func place(_ frame: Int) -> (step: Int, rest: Float) {
        let place = scale * Float(frame)
        let step = min(steps - 1, Int(place))
        return (step, min(1, max(0, place - Float(step))))
    }

    /// The steps that a range of frames lies between.
    func steps(of range: Range<Int>) -> Range<Int> {
        place(range.lowerBound).step..<min(steps, place(range.upperBound - 1).step + 2)
    }

    /// - Parameters:
    ///   - states: `[T, …]`, the steps from `first` on.
    ///   - range: frames, whose steps are among them.
    /// - Returns: `[t, …]`, one row a frame of the range.
    func interpolate(_ states: Tensor, from first: Int, to range: Range<Int>) -> Tensor {
        let places = range.map(place)
        let before = Tensor(places.map { $0.step - first }, device: states.device)
        let after = Tensor(
            places.map { min($0.step + 1, steps - 1) - first }, device: states.device)
        let rest = Tensor(
            places.map(\.rest),
            shape: [range.count] + Array(repeating: 1, count: states.rank - 1),
            device: states.device)
        return states.indexSelect(before, along: 0) * (1 - rest)
            + states.indexSelect(after, along: 0) * rest
    }
}
