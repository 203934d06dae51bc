import Dataset
import Media
import Perception
import Storage

/// What is heard at each frame, in two words; 0 for nothing.
package struct FootageSound: Sendable, Equatable {
    /// The words by which copies are found (`SoundWords`).
    package let words: [UInt32]
    /// The words by which they are told from others (`SoundDetails`).
    package let details: [UInt32]

    package init(words: [UInt32], details: [UInt32]) {
        precondition(words.count == details.count, "two words for each frame")
        (self.words, self.details) = (words, details)
    }

    init(silentFrames: Int) {
        words = Array(repeating: 0, count: silentFrames)
        details = words
    }

    /// Some frames; silence beyond what is known.
    func frames(_ frames: Range<Int>) -> FootageSound {
        func part(_ all: [UInt32]) -> [UInt32] {
            frames.map { all.indices.contains($0) ? all[$0] : 0 }
        }
        return FootageSound(words: part(words), details: part(details))
    }
}

/// What a candidate sounds and looks like, in so few bytes that a million candidates fit into memory: 11 a frame.
package struct Footage: Sendable, Equatable {
    /// The candidate's first frame, from the source's first picture.
    package let start: Int
    package let sound: FootageSound
    /// How far the mouth is open in each frame: 255 is as far as the eyes are apart.
    package let mouth: [UInt8]
    /// The hashes of the frames of the source that are multiples of `hashStep`, as far as they are the
    /// candidate's (`FaceHash`); 0 where the face is not seen.
    package let hashes: [UInt64]

    /// The frames from one hash to the next: a head moves little in a fifth of a second.
    package static let hashStep = 5

    package init(start: Int, sound: FootageSound, mouth: [UInt8], hashes: [UInt64]) {
        let frames = start..<(start + mouth.count)
        precondition(sound.words.count == frames.count, "words and a mouth opening for each frame")
        precondition(hashes.count == Self.hashes(of: frames).count, "a hash for each fifth frame")
        (self.start, self.sound, self.mouth, self.hashes) = (start, sound, mouth, hashes)
    }

    package var frameCount: Int { mouth.count }

    /// The indices of the hashes of some frames of a source, counted from its first picture.
    package static func hashes(of frames: Range<Int>) -> Range<Int> {
        (frames.lowerBound + hashStep - 1) / hashStep..<(frames.upperBound + hashStep - 1)
            / hashStep
    }

    /// Stretches of one candidate, one after the other.
    init(joining parts: [Footage]) {
        self.init(
            start: parts.first?.start ?? 0,
            sound: FootageSound(
                words: parts.flatMap(\.sound.words), details: parts.flatMap(\.sound.details)),
            mouth: parts.flatMap(\.mouth), hashes: parts.flatMap(\.hashes))
    }
}

/// How footage lies in an archive: int16 arrays, because that is a number that .npy files of Loopy have; in
/// NumPy, `.view("<u4")` and `.view("<u8")` make words and hashes of them.
extension Footage {
    /// int16 `[T, 4]`: the word and the details of each frame.
    static let soundMember = ".sound.npy"
    /// int16 `[P, 4]`
    static let picturesMember = ".pictures.npy"

    static func write(
        _ sound: FootageSound, hashes: [FaceHash?], of name: String, to archive: TarWriter
    ) throws {
        try archive.add(
            name + soundMember,
            NumPyArray(
                shape: [sound.words.count, 4],
                values: zip(sound.words, sound.details).flatMap { word, details in
                    Self.halves(of: UInt64(details) << 32 | UInt64(word), count: 4)
                }
            ).encoded(as: .int16))
        try archive.add(
            name + picturesMember,
            NumPyArray(
                shape: [hashes.count, 4],
                values: hashes.flatMap { Self.halves(of: $0?.bits ?? 0, count: 4) }
            ).encoded(as: .int16))
    }

    /// - Parameters:
    ///   - sound: `[T, 4]`
    ///   - hashes: `[P, 4]`
    ///   - track: `[T, TrackColumn.count]`
    init(start: Int, sound: NumPyArray, hashes: NumPyArray, track: NumPyArray) {
        let columns = TrackColumn.allCases.count
        let words = Self.numbers(in: sound, count: 4)
        self.init(
            start: start,
            sound: FootageSound(
                words: words.map { UInt32(truncatingIfNeeded: $0) },
                details: words.map { UInt32($0 >> 32) }),
            mouth: stride(
                from: TrackColumn.mouthOpening.rawValue, to: track.values.count, by: columns
            ).map { UInt8(max(0, min(255, track.values[$0] * 255))) },
            hashes: Self.numbers(in: hashes, count: 4))
    }

    /// The lowest 16 bits first.
    private static func halves(of number: UInt64, count: Int) -> [Float] {
        (0..<count).map { Float(Int16(truncatingIfNeeded: number >> UInt64($0 * 16))) }
    }

    private static func numbers(in array: NumPyArray, count: Int) -> [UInt64] {
        stride(from: 0, to: array.values.count, by: count).map { start in
            (0..<count).reduce(0) { number, half in
                let bits = UInt16(bitPattern: Int16(array.values[start + half]))
                return number | UInt64(bits) << UInt64(half * 16)
            }
        }
    }
}
