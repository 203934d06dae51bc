import Speech
import Torch

/// What `MouthSyncNetwork` takes of one piece of video, normalised: what is left of a face and of a
/// recording is how they move.
package struct MouthSyncInput {
    /// `[15, T]`
    package let lips: Tensor
    /// `[80, 4 (T + 30)]`
    package let spectra: Tensor
    /// `[T]` and `[T + 30]`: 1 or 0.
    package let seen: Tensor
    package let heard: Tensor

    /// - Parameters:
    ///   - lips: the shapes in T frames; where one is nil, the frame does not count.
    ///   - spectra: the log-mel spectra of the frames and of `reach` more on either side, 4 x 80 values
    ///     a frame; nil for a frame without sound.
    package init(lips: [LipShape?], spectra: [[Float]?]) {
        precondition(spectra.count == lips.count + 2 * MouthSyncNetwork.reach)
        let (lips, seen) = Self.normalised(lips)
        let (spectra, heard) = Self.normalised(spectra)
        (self.lips, self.seen, self.spectra, self.heard) = (lips, seen, spectra, heard)
    }

    // MARK: Lips

    /// Takes the mean shape away, which is the person's, and divides by how much each value usually
    /// moves.
    private static func normalised(_ shapes: [LipShape?]) -> (lips: Tensor, seen: Tensor) {
        let present = shapes.compactMap(\.?.values)
        let mean = (0..<LipShape.count).map { index in
            present.reduce(Float(0)) { $0 + $1[index] } / Float(max(1, present.count))
        }
        var rows = [Float](repeating: 0, count: shapes.count * LipShape.count)
        for (frame, shape) in shapes.enumerated() {
            guard let values = shape?.values else { continue }
            for index in values.indices {
                rows[frame * LipShape.count + index] =
                    (values[index] - mean[index]) / LipShape.deviations[index]
            }
        }
        return (
            Tensor(rows, shape: [shapes.count, LipShape.count]).transposed(0, 1),
            Tensor(shapes.map { $0 == nil ? Float(0) : 1 })
        )
    }

    /// Fills gaps between frames that are seen, where they are short: pictures that a slow source shows
    /// twice, and a blink of the tracker.
    package static func filled(_ shapes: [LipShape?]) -> [LipShape?] {
        var result = shapes
        var last: Int?
        for index in shapes.indices where shapes[index] != nil {
            if let last, index - last <= longestGap, let a = shapes[last], let b = shapes[index] {
                for between in (last + 1)..<max(last + 1, index) {
                    result[between] = a.mixed(
                        with: b, share: Float(between - last) / Float(index - last))
                }
            }
            last = index
        }
        return result
    }

    /// The distance of frames between which shapes are interpolated: at 6 pictures a second they are 4.2
    /// apart.
    private static let longestGap = 5

    // MARK: Sound

    /// Whispers and what is below them are one silence; loudness and the room's colour go with the mean of
    /// each band.
    private static func normalised(_ frames: [[Float]?]) -> (spectra: Tensor, heard: Tensor) {
        let (bands, steps) = (MouthSyncNetwork.bands, MouthSyncNetwork.spectraPerFrame)
        let heard = frames.map { $0 == nil ? Float(0) : 1 }
        let present = frames.compactMap { $0 }.flatMap { $0 }
        guard !present.isEmpty else {
            return (.zeros([bands, frames.count * steps]), Tensor(heard))
        }
        let floor = (present.max() ?? 0) - range
        var sums = [Double](repeating: 0, count: bands)
        var total = 0.0, squares = 0.0
        for (index, value) in present.enumerated() {
            let value = Double(max(value, floor))
            sums[index % bands] += value
            total += value
            squares += value * value
        }
        let rows = Double(present.count / bands)
        let means = sums.map { Float($0 / rows) }
        let mean = total / Double(present.count)
        let deviation = max(0, squares / Double(present.count) - mean * mean).squareRoot()
        let scale = Float(1 / (deviation + leastDeviation))
        var values: [Float] = []
        values.reserveCapacity(frames.count * bands * steps)
        for frame in frames {
            guard let frame else {
                values.append(contentsOf: repeatElement(0, count: bands * steps))
                continue
            }
            for (index, value) in frame.enumerated() {
                values.append((max(value, floor) - means[index % bands]) * scale)
            }
        }
        return (
            Tensor(values, shape: [frames.count * steps, bands]).transposed(0, 1), Tensor(heard)
        )
    }

    /// What is less than this below the loudest is heard: 12 in natural logarithms are 52 dB.
    private static let range: Float = 12
    /// Keeps noise without speech from being blown up.
    private static let leastDeviation = 0.5
}

extension LipShape {
    /// The standard deviations of the values of a person who speaks: a speaker of the GRID corpus.
    package static let deviations: [Float] = [
        0.0281, 0.0271, 0.0258, 0.0408, 0.0140, 0.0167, 0.0080, 0.0092, 0.0290, 0.0375, 0.0304,
        0.0141, 0.0062, 0.0150, 0.0099,
    ]
}
