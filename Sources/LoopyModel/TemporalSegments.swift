import Diffusion
import Torch

/// The temporal segment module (section 3.2, figure 3): over a hundred frames before the clip become
/// twenty motion frames, the farther away the fewer.
///
/// Segment i, from the nearest, covers `stride * ratio^(i-1)` frames and yields `stride` of them: with 4
/// and 2, segments of 4, 8, 16, 32 and 64 frames, 124 in all, yield 20.
public struct TemporalSegments: Codable, Sendable, Equatable {
    /// What stands for a part of a segment.
    public enum Abstraction: String, Codable, Sendable, CaseIterable {
        /// Its middle frame.
        case uniform
        /// The mean of its frames.
        case mean
        /// One of its frames, drawn anew each time.
        case random
    }

    public var stride = 4
    public var ratio = 2
    /// The number of frames before the clip that it looks at.
    public var motionFrames = 124
    public var abstraction = Abstraction.uniform

    public init() {}

    /// The frames that each motion frame stands for, counted backwards: 0 is the frame right before the
    /// clip. Element i lies in segment `k = i / stride` (counted from 0), and with
    /// `start = Σ_{j<k} stride * ratio^j + (i mod stride) * ratio^k` covers `start ..< start + ratio^k`.
    ///
    /// (The paper's formula gives start and end of the whole segment, and says that element i is one of
    /// `stride` equal parts of it. It then speaks of the mean; its default is uniform sampling.)
    public var spans: [Range<Int>] {
        var spans: [Range<Int>] = []
        var length = 1, start = 0
        while start + length <= motionFrames {
            spans.append(start..<(start + length))
            start += length
            if spans.count % stride == 0 { length *= ratio }
        }
        return spans
    }

    /// M: the number of motion frames.
    public var count: Int { spans.count }

    /// Motion frames of a clip.
    ///
    /// At the beginning of a video there are fewer frames than `motionFrames`, or none. Spans end where
    /// the video begins, and elements of which nothing is left are absent.
    ///
    /// - Parameters:
    ///   - history: latents of the frames before the clip, in the order of time, `[T, C, H, W]`; T may
    ///     be anything, and so may the type. The last `motionFrames` of them count.
    ///   - generator: needed for `random`.
    /// - Returns: float32, `[M, C, H, W]`, in the order of time, the nearest last, zeros where absent;
    ///   and which are present.
    public func abstract(
        _ history: Tensor, generator: Generator? = nil
    ) -> (frames: Tensor, isPresent: [Bool]) {
        let available = history.length(0)
        let frames = spans.reversed().map { span -> Tensor? in
            let span = span.clamped(to: 0..<available)
            guard !span.isEmpty else { return nil }
            // Backwards from the clip, so forwards from the end.
            let part = (available - span.upperBound)..<(available - span.lowerBound)
            switch abstraction {
            case .uniform:
                return history[available - 1 - (span.lowerBound + span.count / 2)].to(.float32)
            case .mean: return history[part].to(.float32).mean([0])
            case .random:
                guard let generator else { fatalError("random motion frames need a generator") }
                let drawn = Tensor.integers(part, [1], generator: generator)
                return history[Int(drawn.scalar)].to(.float32)
            }
        }
        let picture = Array(history.shape.dropFirst())
        guard !frames.isEmpty else { return (.zeros([0] + picture, device: history.device), []) }
        let absent = Tensor.zeros(picture, device: history.device)
        return (stacked(frames.map { $0 ?? absent }, along: 0), frames.map { $0 != nil })
    }
}
