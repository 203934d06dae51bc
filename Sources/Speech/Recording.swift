import Errors

/// A recording at 16 kHz, mono, that is read front to back as often as somebody needs it.
///
/// It lasts whole video frames: behind the last sample there are zeros up to the end of its frame, as
/// there are in a clip. An encoder's last step then belongs to the end of the last frame, and a step
/// lies where its sound is, whatever the number of samples.
///
/// It need not be in memory: encoders hold what they work on.
public struct Recording {
    /// The number of samples a second.
    public static let sampleRate = 16_000
    /// The number of samples that one video frame lasts, at 25 frames a second.
    public static let samplesPerFrame = 640

    /// A function that gives the next samples, at most as many as asked for, and none at the end.
    public typealias Reader = (Int) throws -> [Float]

    private let open: () throws -> Reader

    /// - Parameter open: begins a reading at the first sample; each reading gives the same samples.
    public init(open: @escaping () throws -> Reader) {
        self.open = { Self.wholeFrames(try open()) }
    }

    /// Goes on with zeros where the samples end, up to the end of the frame.
    private static func wholeFrames(_ read: @escaping Reader) -> Reader {
        var given = 0, isAtEnd = false
        return { count in
            var piece = isAtEnd ? [] : try read(count)
            if piece.isEmpty {
                isAtEnd = true
                let missing = frames(samples: given) * samplesPerFrame - given
                piece = Array(repeating: 0, count: min(count, missing))
            }
            given += piece.count
            return piece
        }
    }

    /// Makes a recording of samples in memory.
    public init(_ samples: [Float]) {
        self.init {
            var position = 0
            return { count in
                let end = min(samples.count, position + count)
                defer { position = end }
                return Array(samples[position..<end])
            }
        }
    }

    /// The number of video frames that so many samples last. A frame that has only begun counts.
    public static func frames(samples: Int) -> Int {
        (samples + samplesPerFrame - 1) / samplesPerFrame
    }

    /// All samples, with the zeros at their end.
    package func samples() throws -> [Float] {
        var pieces = try pieces(), samples: [Float] = []
        while let piece = try pieces.next() { samples += piece }
        return samples
    }

    func pieces() throws -> Pieces { Pieces(read: try open()) }

    /// The samples in pieces of ten seconds.
    struct Pieces {
        fileprivate let read: Reader

        mutating func next() throws -> [Float]? {
            let piece = try read(10 * Recording.sampleRate)
            return piece.isEmpty ? nil : piece
        }
    }

    func window() throws -> Window { Window(read: try open()) }

    /// Ranges of the samples, each beginning no earlier than the one before it.
    struct Window {
        fileprivate let read: Reader
        private var start = 0
        private var samples: [Float] = []

        fileprivate init(read: @escaping Reader) { self.read = read }

        /// The samples of a range.
        ///
        /// - Throws: `LoopyError` `.unsuitable` when there are fewer than when they were counted.
        mutating func samples(_ range: Range<Int>) throws -> ArraySlice<Float> {
            precondition(range.lowerBound >= start, "a recording is read from front to back")
            while start + samples.count < range.upperBound {
                // What lies before the range is not needed again.
                let stale = min(samples.count, range.lowerBound - start)
                samples.removeFirst(stale)
                start += stale
                let piece = try read(
                    max(Recording.sampleRate, range.upperBound - start - samples.count))
                guard !piece.isEmpty else {
                    throw LoopyError(
                        .unsuitable,
                        "ends after \(start + samples.count) samples, sooner than when it was read first"
                    )
                }
                samples += piece
            }
            return samples[(range.lowerBound - start)..<(range.upperBound - start)]
        }
    }
}
