import Errors
import Foundation
import Torch

/// Gives log-mel spectra as speech features, for use without the weights of wav2vec 2.0. There is one
/// layer; a frame's row holds its four spectra of 10 ms, one after the other.
///
/// As in Whisper's `log_mel_spectrogram` there are 80 mel bands of Slaney's scale and area, 0 to 8 kHz,
/// and Hann windows of 25 ms. The logarithm is the natural one, taken after mean and variance were taken out of the samples
/// of the whole recording, so that loudness does not matter.
public final class LogMel: SpeechEncoder {
    public let layers = 1
    public var channels: Int { LogMel.bands * LogMel.spectraPerFrame }

    private static let bands = 80
    private static let windowLength = 400, hop = 160, transformLength = 400
    private static let spectraPerFrame = Recording.samplesPerFrame / hop
    /// The least power: below it there is nothing but rounding.
    private static let floor = 1e-5
    /// The number of frames computed at a time.
    private static let blockFrames = 250

    public var leastVariance = 0.0
    private let window: Tensor
    private let filters: Tensor

    public init() {
        let length = LogMel.windowLength
        window = Tensor(
            (0..<length).map { Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(length))) }
        )
        filters = LogMel.filters()
    }

    public func encode(_ recording: Recording, _ body: (Tensor) throws -> Void) throws {
        let (length, hop) = (LogMel.windowLength, LogMel.hop)
        let statistics = try WaveStatistics(
            of: recording, kernel: 1, stride: Recording.samplesPerFrame, normalises: true,
            leastVariance: leastVariance)
        guard statistics.count > 0 else {
            throw LoopyError(.unsuitable, "holds no sound")
        }
        let frames = Recording.frames(samples: statistics.count)

        var samples = try recording.window()
        // A spectrum is centred on its 10 ms: it begins before them and ends after them.
        let before = (length - hop) / 2
        for start in stride(from: 0, to: frames, by: LogMel.blockFrames) {
            let end = min(frames, start + LogMel.blockFrames)
            let first = start * Recording.samplesPerFrame - before
            let wanted = first..<(end * Recording.samplesPerFrame - before + length - hop)
            let present = max(0, wanted.lowerBound)..<min(statistics.count, wanted.upperBound)
            let wave = Tensor(statistics.normalised(try samples.samples(present)))
            let padded = pad(
                wave,
                [present.lowerBound - wanted.lowerBound, wanted.upperBound - present.upperBound])
            let spectra = powerSpectrum(
                padded.unfold(along: 0, size: length, step: hop) * window,
                length: LogMel.transformLength)
            let mel = spectra.matmul(filters).clamped(LogMel.floor).log()
            try body(mel.reshaped(end - start, 1, channels))
        }
    }

    /// The triangles of equal area on the mel scale: `[transformLength / 2 + 1, bands]`.
    private static func filters() -> Tensor {
        let top = mel(Double(Recording.sampleRate) / 2)
        let edges = (0..<(bands + 2)).map { hertz(top * Double($0) / Double(bands + 1)) }
        let bins = transformLength / 2 + 1
        var values = [Float](repeating: 0, count: bins * bands)
        for bin in 0..<bins {
            let frequency = Double(bin * Recording.sampleRate) / Double(transformLength)
            for band in 0..<bands {
                let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2])
                let rising = (frequency - left) / (centre - left)
                let falling = (right - frequency) / (right - centre)
                values[bin * bands + band] = Float(
                    max(0, min(rising, falling)) * 2 / (right - left))
            }
        }
        return Tensor(values, shape: [bins, bands])
    }

    /// The mel of a frequency on Slaney's scale: linear up to 1 kHz, logarithmic above.
    private static func mel(_ hertz: Double) -> Double {
        hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) * 27 / log(6.4)
    }

    private static func hertz(_ mel: Double) -> Double {
        mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27)
    }
}
