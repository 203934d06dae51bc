import Errors
import Media
import Torch

/// How closely one curve over time follows another, and how closely it would by chance.
///
/// Curves may be of several clips. Each clip's means are taken off, so that only what happens within
/// clips counts, and the clips are then joined. Chance is what the same curves have with shuffled
/// references. Of seven clips or more, each gets the reference of another one, from its beginning: clips
/// that begin and end in silence are alike, whatever is said in them. Of fewer, the joined references are
/// shifted in a circle, by a second at least.
package struct CurveCorrelation {
    /// A curve and its reference of one clip, a value a frame of the 25 fps grid; nil where there is none.
    package struct Clip {
        let generated: [Double?]
        let reference: [Double?]

        /// Curves of different lengths are compared as far as both go.
        package init(generated: [Double?], reference: [Double?]) {
            let frames = min(generated.count, reference.count)
            self.generated = Array(generated.prefix(frames))
            self.reference = Array(reference.prefix(frames))
        }
    }

    /// Pearson's r with shuffled references.
    package struct Shuffled {
        package let count: Int
        package let mean: Double
        package let greatest: Double
        /// The probability that shuffled references do as well: (k + 1) / (n + 1), where k of n have at
        /// least the r of the references themselves.
        package let p: Double
    }

    /// Frames shorter than this say nothing.
    package static let leastFrames = Grid.framesPerSecond
    /// The shortest shift, in frames.
    package static let leastShift = Grid.framesPerSecond
    /// The number of clips from which each gets the reference of another one: so many can be ordered in
    /// 1854 ways that leave none in its place.
    package static let leastClips = 7
    /// The most shuffles that are tried.
    package static let mostShuffles = 1000
    /// The longest lag that is looked for, in frames.
    package static let mostLag = 10

    private let clips: [Clip]
    /// The clips one after the other.
    private let generated: [Double?]
    private let reference: [Double?]
    /// Pearson's r.
    package let r: Double
    /// The frames in which both curves have values.
    package let frames: Int

    /// - Throws: `LoopyError` `.unsuitable` for curves that have too few common frames, or of which one
    ///   does not move.
    package init(_ clips: [Clip]) throws {
        self.clips = clips.compactMap(\.centred)
        generated = self.clips.flatMap(\.generated)
        reference = self.clips.flatMap(\.reference)
        let sums = Sums(generated, reference)
        frames = sums.count
        guard frames >= Self.leastFrames else {
            throw LoopyError(
                .unsuitable,
                "\(frames) frames have a face in it and in its reference, and \(Self.leastFrames) "
                    + "are needed")
        }
        guard let r = sums.r else {
            throw LoopyError(.unsuitable, "the mouth does not move, or its reference's does not")
        }
        self.r = r
    }

    /// - Throws: `LoopyError` `.unsuitable` for curves that are too short to be shuffled.
    package func shuffled() throws -> Shuffled {
        let found = clips.count < Self.leastClips ? shifted : try exchanged()
        guard !found.isEmpty, let greatest = found.max() else {
            throw LoopyError(
                .unsuitable,
                "\(reference.count) frames are too few to be shifted by a second at least")
        }
        let asGood = found.count { $0 >= r }
        return Shuffled(
            count: found.count, mean: found.reduce(0, +) / Double(found.count),
            greatest: greatest, p: Double(asGood + 1) / Double(found.count + 1))
    }

    /// Pearson's r with the joined references at every shift that is a second or more from none; of more
    /// shifts than are tried, at equal distances.
    private var shifted: [Double] {
        let frames = reference.count
        let all = Self.leastShift..<max(Self.leastShift, frames - Self.leastShift + 1)
        let count = min(all.count, Self.mostShuffles)
        let twice = reference + reference
        return (0..<count).compactMap { index in
            let shift = all.lowerBound + index * all.count / count
            return Sums(generated, twice[shift..<(shift + frames)]).r
        }
    }

    /// Pearson's r with the references of other clips, in orders that are drawn and always the same.
    private func exchanged() throws -> [Double] {
        let generator = try Generator(seed: 0)
        var found: [Double] = []
        while found.count < Self.mostShuffles {
            let order = Tensor.permutation(clips.count, generator: generator).array(of: Int64.self)
            guard !order.enumerated().contains(where: { $0 == Int($1) }) else { continue }
            var sums = Sums()
            for (clip, other) in zip(clips, order) {
                for (x, y) in zip(clip.generated, clips[Int(other)].reference) { sums.add(x, y) }
            }
            found.append(sums.r ?? 0)
        }
        return found
    }

    /// The frames by which the generated curve comes late: those of the highest r within a clip.
    package func lag() -> Int {
        func r(_ lag: Int) -> Double {
            var sums = Sums()
            for clip in clips {
                let span = max(0, lag)..<max(max(0, lag), clip.reference.count + min(0, lag))
                for frame in span { sums.add(clip.generated[frame], clip.reference[frame - lag]) }
            }
            return sums.r ?? -1
        }
        // The shortest of equals is found first.
        let lags = (-Self.mostLag...Self.mostLag).sorted { (abs($0), $0) < (abs($1), $1) }
        return lags.map { (lag: $0, r: r($0)) }.reduce((lag: 0, r: self.r)) {
            $1.r > $0.r ? $1 : $0
        }.lag
    }
}

extension CurveCorrelation.Clip {
    /// Both curves without the means over their common frames; nil where they have none.
    fileprivate var centred: Self? {
        let common = zip(generated, reference).compactMap { a, b in
            a.flatMap { a in b.map { (a, $0) } }
        }
        guard !common.isEmpty else { return nil }
        let a = common.reduce(0) { $0 + $1.0 } / Double(common.count)
        let b = common.reduce(0) { $0 + $1.1 } / Double(common.count)
        return Self(
            generated: generated.map { $0.map { $0 - a } },
            reference: reference.map { $0.map { $0 - b } })
    }
}

/// The sums that Pearson's r is made of.
private struct Sums {
    private(set) var count = 0
    private var a = 0.0, b = 0.0, aa = 0.0, bb = 0.0, ab = 0.0

    init() {}

    /// The sums over the frames in which both curves have values.
    init(_ first: [Double?], _ second: some Sequence<Double?>) {
        for (x, y) in zip(first, second) { add(x, y) }
    }

    mutating func add(_ x: Double?, _ y: Double?) {
        guard let x, let y else { return }
        count += 1
        a += x
        b += y
        aa += x * x
        bb += y * y
        ab += x * y
    }

    /// Nil where one of the curves does not move.
    var r: Double? {
        guard count > 1 else { return nil }
        let n = Double(count)
        let varianceA = aa - a * a / n, varianceB = bb - b * b / n
        // What rounding leaves of a constant is no variance.
        guard varianceA > 1e-12 * (1 + aa), varianceB > 1e-12 * (1 + bb) else { return nil }
        return max(-1, min(1, (ab - a * b / n) / (varianceA * varianceB).squareRoot()))
    }
}
