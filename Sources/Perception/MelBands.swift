import Foundation
import Media
import Torch

/// What the fingerprints of sound make spectra with. The bands are no speech feature, and so not those of `LogMel`.
enum MelBands {
    /// Hann's window: `[length]`.
    static func window(_ length: Int) -> Tensor {
        Tensor(
            (0..<length).map {
                Float(0.5 - 0.5 * cos(2 * Double.pi * (Double($0) + 0.5) / Double(length)))
            })
    }

    /// Triangles on the mel scale: `[transformLength / 2 + 1, bands]`.
    ///
    /// - Parameters:
    ///   - lowest: where the first one begins, in hertz.
    ///   - highest: where the last one ends.
    static func filters(
        _ bands: Int, from lowest: Double, to highest: Double, transformLength: Int
    ) -> Tensor {
        func mel(_ hertz: Double) -> Double { log(1 + hertz / 700) }
        let (bottom, top) = (mel(lowest), mel(highest))
        let edges = (0..<(bands + 2)).map { edge in
            700 * (exp(bottom + (top - bottom) * Double(edge) / Double(bands + 1)) - 1)
        }
        let bins = transformLength / 2 + 1
        var values = [Float](repeating: 0, count: bins * bands)
        for bin in 0..<bins {
            let frequency = Double(bin * Grid.sampleRate) / Double(transformLength)
            for band in 0..<bands {
                let rising = (frequency - edges[band]) / (edges[band + 1] - edges[band])
                let falling = (edges[band + 2] - frequency) / (edges[band + 2] - edges[band + 1])
                values[bin * bands + band] = Float(max(0, min(rising, falling)))
            }
        }
        return Tensor(values, shape: [bins, bands])
    }

    /// The signs of 32 values a frame, as a word: the first value's is the highest bit.
    static func words(_ values: Tensor) -> [UInt32] {
        let all = values.array(of: Float.self)
        return stride(from: 0, to: all.count, by: 32).map { start in
            all[start..<(start + 32)].reduce(0) { $0 << 1 | ($1 > 0 ? 1 : 0) }
        }
    }
}
