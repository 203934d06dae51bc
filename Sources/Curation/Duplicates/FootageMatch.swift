import Perception

/// A stretch of footage that two candidates have in common.
package struct FootageMatch: Sendable, Equatable {
    /// The frames of the first candidate, from its first.
    package let frames: Range<Int>
    /// What is to be added to a frame of the first candidate to get the same frame of the second.
    package let offset: Int
    /// Whether one is the mirror image of the other.
    package let isMirrored: Bool
    /// The mean share of bits of sound and of pictures that differ.
    package let soundDistance: Double
    package let pictureDistance: Double
    /// The correlation of the mouths' openings.
    package let movement: Double
}

extension FootageMatch {
    // The limits were chosen on copies made by ffmpeg and on other footage of the same people: docs/duplicates.md.

    /// The share of differing bits of details up to which a second and a half of sound is the same.
    private static let soundLimit = 0.22
    /// The share of differing bits up to which pictures are the same.
    private static let pictureLimit = 0.2
    /// The share up to which they are where mouths move alike: a crop at the face's edge changes a hash that much.
    private static let movingPictureLimit = 0.32
    /// The least correlation of mouths that move alike.
    private static let movementLimit = 0.5
    /// The frames that sound must agree in, one after the other: a second and a half.
    static let leastFrames = 38
    /// Frames of silence or noise that do not end a stretch.
    static let longestGap = 25
    /// The frames over which the distance of sound is averaged, a second and a half: over less, the same words of
    /// one person are sometimes as near.
    private static let window = 37
    /// The frames by which a copy's sound may have moved against its pictures.
    private static let reach = 8

    /// The common stretches of two candidates.
    ///
    /// - Parameter offset: of the second's frames from the first's; those two frames beside it are tried too.
    static func stretches(
        _ first: Int, _ second: Int, offset: Int, in library: FootageLibrary
    ) -> [FootageMatch] {
        let (a, b) = (library.entries[first], library.entries[second])
        func isSamePlace(_ offset: Int) -> Bool {
            a.source == b.source && abs(b.start + offset - a.start) <= window
        }
        let offsets = (offset - 2...offset + 2).filter { !isSamePlace($0) }
        let compared = offsets.map { SoundComparison(a, b, offset: $0, in: library) }
        guard let best = compared.min(by: { $0.distance < $1.distance }) else { return [] }
        return best.stretches(window: window, limit: soundLimit, longestGap: longestGap)
            .filter { $0.count >= leastFrames }
            .compactMap { match(a, b, $0, best, library) }
    }

    private static func match(
        _ a: FootageLibrary.Entry, _ b: FootageLibrary.Entry, _ frames: Range<Int>,
        _ sound: SoundComparison, _ library: FootageLibrary
    ) -> FootageMatch? {
        // Movement tells by how much the pictures have moved against the sound, if they have.
        let movements = (-reach...reach).map { lag in
            (lag, movement(a, b, frames, offset: sound.offset + lag, library))
        }
        let nearest = movements.max { ($0.1, -abs($0.0)) < ($1.1, -abs($1.0)) }
        guard let (lag, movement) = nearest else { return nil }
        // Mouths of few pixels are noise, and say nothing of time.
        let moves = movement >= movementLimit
        let offset = moves ? sound.offset + lag : sound.offset
        guard let (pictures, isMirrored) = pictures(a, b, frames, offset: offset, library),
            pictures <= (moves ? movingPictureLimit : pictureLimit)
        else { return nil }
        return FootageMatch(
            frames: frames, offset: offset, isMirrored: isMirrored,
            soundDistance: sound.distance(of: frames), pictureDistance: pictures,
            movement: movement)
    }

    /// The share of bits of the pictures that differ, as they are or mirrored.
    private static func pictures(
        _ a: FootageLibrary.Entry, _ b: FootageLibrary.Entry, _ frames: Range<Int>, offset: Int,
        _ library: FootageLibrary
    ) -> (distance: Double, isMirrored: Bool)? {
        var (plain, mirrored, count) = (0, 0, 0)
        for frame in frames where (a.start + frame).isMultiple(of: Footage.hashStep) {
            let one = FaceHash(bits: library.hash(of: a, near: frame))
            let other = FaceHash(bits: library.hash(of: b, near: frame + offset))
            guard one.bits != 0, other.bits != 0 else { continue }
            plain += one.distance(to: other)
            mirrored += one.mirrored.distance(to: other)
            count += 1
        }
        guard count > 0 else { return nil }
        return (Double(min(plain, mirrored)) / Double(63 * count), mirrored < plain)
    }

    /// The correlation of the mouths' openings; -1 where too little of both is there.
    private static func movement(
        _ a: FootageLibrary.Entry, _ b: FootageLibrary.Entry, _ frames: Range<Int>, offset: Int,
        _ library: FootageLibrary
    ) -> Double {
        let common = frames.clamped(to: -offset..<(b.frames.count - offset))
        guard common.count >= leastFrames / 2 else { return -1 }
        var (x, y, xx, yy, xy) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for frame in common {
            let one = Double(library.mouth[a.frames.lowerBound + frame])
            let other = Double(library.mouth[b.frames.lowerBound + frame + offset])
            x += one
            y += other
            xx += one * one
            yy += other * other
            xy += one * other
        }
        let count = Double(common.count)
        let (varianceX, varianceY) = (xx - x * x / count, yy - y * y / count)
        guard varianceX > 0, varianceY > 0 else { return -1 }
        return (xy - x * y / count) / (varianceX * varianceY).squareRoot()
    }
}

/// How the sound of two candidates differs, frame by frame, at one offset.
private struct SoundComparison {
    let offset: Int
    /// The frames of the first candidate that the second has too.
    private let common: Range<Int>
    /// The bits that differ before each common frame, and the frames with sound before each.
    private var differing: [Int] = []
    private var heard: [Int] = []

    init(
        _ a: FootageLibrary.Entry, _ b: FootageLibrary.Entry, offset: Int,
        in library: FootageLibrary
    ) {
        self.offset = offset
        let first = max(0, -offset)
        common = first..<max(first, min(a.frames.count, b.frames.count - offset))
        differing.reserveCapacity(common.count + 1)
        heard.reserveCapacity(common.count + 1)
        var (bits, frames) = (0, 0)
        for frame in common {
            differing.append(bits)
            heard.append(frames)
            let one = library.details[a.frames.lowerBound + frame]
            let other = library.details[b.frames.lowerBound + frame + offset]
            guard one != 0, other != 0 else { continue }
            bits += (one ^ other).nonzeroBitCount
            frames += 1
        }
        differing.append(bits)
        heard.append(frames)
    }

    /// The share of bits that differ, of all common frames; 1 of none.
    var distance: Double { distance(of: common) }

    func distance(of frames: Range<Int>) -> Double {
        let (first, last) = (
            frames.lowerBound - common.lowerBound, frames.upperBound - common.lowerBound
        )
        let count = heard[last] - heard[first]
        return count > 0 ? Double(differing[last] - differing[first]) / Double(32 * count) : 1
    }

    /// The stretches around which the sound is the same.
    func stretches(window: Int, limit: Double, longestGap: Int) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for frame in common {
            let around = (frame - window / 2)..<(frame + window / 2 + 1)
            guard distance(of: around.clamped(to: common)) <= limit else { continue }
            if let last = result.last, frame - last.upperBound <= longestGap {
                result[result.count - 1] = last.lowerBound..<(frame + 1)
            } else {
                result.append(frame..<(frame + 1))
            }
        }
        return result
    }
}
