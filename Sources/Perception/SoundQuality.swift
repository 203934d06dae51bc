import Foundation
import Media
import Torch

/// What the samples of a recording say about its quality: 16 kHz mono, -1...1.
package enum SoundQuality {
    /// The level that stands for silence, in dB of full scale.
    private static let silence = -100.0

    /// The level of every frame of 640 samples, in dB of full scale.
    package static func levels(_ samples: [Float]) -> [Double] {
        (0..<(samples.count / Grid.samplesPerFrame)).map { frame in
            let start = frame * Grid.samplesPerFrame
            let energy = samples[start..<(start + Grid.samplesPerFrame)].reduce(Float(0)) {
                $0 + $1 * $1
            }
            let power = Double(energy) / Double(Grid.samplesPerFrame)
            return power > 0 ? max(silence, 10 * log10(power)) : silence
        }
    }

    /// The share of samples within 1 dB of the peak, which is the 99.9th percentile of all magnitudes; nil
    /// where there is only silence.
    ///
    /// Speech has few samples near its peak, and clipped speech has as many as were clipped: the amplitude
    /// histogram tells (Eaton and Naylor, "Detection of clipping in coded speech signals", EUSIPCO 2013).
    /// Runs of equal samples, which tell of clipping in untouched recordings, do not survive a codec and
    /// another sampling rate.
    package static func clipping(_ samples: [Float]) -> Double? {
        // A magnitude's upper bits are a logarithmic scale of 512 steps an octave.
        let shift = Float.significandBitCount - 9
        var counts = [Int](repeating: 0, count: 1 << (31 - shift))
        for sample in samples { counts[Int(sample.magnitude.bitPattern) >> shift] += 1 }
        func bin(_ magnitude: Float) -> Int { Int(magnitude.bitPattern) >> shift }
        var above = 0
        var peakBin = counts.count - 1
        while peakBin > 0, above + counts[peakBin] <= samples.count / 1000 {
            above += counts[peakBin]
            peakBin -= 1
        }
        let peak = Float(bitPattern: UInt32(peakBin) << UInt32(shift))
        guard peak > 1e-4 else { return nil }
        let near = counts[bin(peak * Float(pow(10, -1.0 / 20)))...].reduce(0, +)
        return Double(near) / Double(samples.count)
    }

    private static let bandwidthWindow = 512
    /// Below the strongest frequency, in dB.
    private static let bandwidthDrop = 60.0
    /// The least number of frames that make a spectrum.
    private static let fewestFrames = 10

    /// The highest frequency, in Hz, at which the mean spectrum of the frames with speech is no more than 60
    /// dB below its strongest: in natural speech that is all that the recording holds. 8000 is all that 16
    /// kHz can hold.
    ///
    /// - Returns: nil with less than ten frames of speech.
    package static func bandwidth(_ samples: [Float], isSpeech: [Bool]) -> Double? {
        let spoken = isSpeech.indices.filter {
            isSpeech[$0] && ($0 + 1) * Grid.samplesPerFrame <= samples.count
        }
        guard spoken.count >= fewestFrames else { return nil }
        let margin = (Grid.samplesPerFrame - bandwidthWindow) / 2
        let pieces = spoken.flatMap { frame in
            let start = frame * Grid.samplesPerFrame + margin
            return samples[start..<(start + bandwidthWindow)]
        }
        let spectra = powerSpectrum(
            Tensor(pieces, shape: [spoken.count, bandwidthWindow]) * hann(bandwidthWindow),
            length: bandwidthWindow)
        let decibels = spectra.mean([0]).array(of: Float.self).map {
            10 * log10(Double($0) + 1e-12)
        }
        // What is below 100 Hz is no speech, and single bins are no bandwidth.
        let smooth = (1..<(decibels.count - 1)).map { bin -> Double in
            decibels[(bin - 1)...(bin + 1)].reduce(0, +) / 3
        }
        guard let strongest = smooth.dropFirst(2).max(),
            let last = smooth.lastIndex(where: { $0 > strongest - bandwidthDrop })
        else { return nil }
        // Index 0 is bin 1; its upper edge is half a bin further. The last bin that has neighbours stands for all.
        if last == smooth.count - 1 { return 8000 }
        return (Double(last) + 1.5) * 16000 / Double(bandwidthWindow)
    }

    static func hann(_ length: Int) -> Tensor {
        Tensor((0..<length).map { Float(0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(length))) })
    }
}
