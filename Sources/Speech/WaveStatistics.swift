import Torch

/// Statistics of a whole recording, from one pass over its samples: how many they are, their mean and
/// variance, and the mean and covariance of the windows that the first convolution sees.
public struct WaveStatistics {
    /// The number of samples.
    public let count: Int
    /// The mean and the scale of all samples: `(x - mean) · scale` has mean 0 and variance 1.
    public let sampleMean: Double
    public let sampleScale: Double
    /// The mean and the covariance of the normalised windows: float64 `[kernel]` and `[kernel, kernel]`.
    let mean: Tensor
    let covariance: Tensor

    /// The number that `Wav2Vec2FeatureExtractor` adds to the variance.
    private static let epsilon = 1e-7

    /// - Parameters:
    ///   - kernel, stride: the size and the step of the first convolution, in samples.
    ///   - normalises: whether mean and variance are taken out of the samples at all.
    ///   - leastVariance: what a smaller variance is taken for.
    init(
        of recording: Recording, kernel: Int, stride: Int, normalises: Bool,
        leastVariance: Double = 0
    ) throws {
        var sums = WindowSums(kernel: kernel, stride: stride)
        var pieces = try recording.pieces()
        while let piece = try pieces.next() { sums.add(piece) }

        count = sums.samples
        let mean = sums.samples > 0 ? sums.sum / Double(sums.samples) : 0
        let variance = sums.samples > 0 ? sums.squares / Double(sums.samples) - mean * mean : 0
        sampleMean = normalises ? mean : 0
        sampleScale =
            normalises ? 1 / (max(leastVariance, variance) + Self.epsilon).squareRoot() : 1

        let windows = Double(max(1, sums.windows))
        let windowMean = Tensor(sums.firsts.map { $0 / windows })
        let products = Tensor(sums.products.map { $0 / windows }, shape: [kernel, kernel])
        covariance =
            (products - windowMean.unsqueezed(1) * windowMean.unsqueezed(0))
            * (sampleScale * sampleScale)
        self.mean = (windowMean - sampleMean) * sampleScale
    }

    /// Takes mean and variance out of samples.
    func normalised(_ samples: some Sequence<Float>) -> [Float] {
        let (mean, scale) = (Float(sampleMean), Float(sampleScale))
        return samples.map { ($0 - mean) * scale }
    }
}

/// Adds up samples, and the windows of a strided convolution.
private struct WindowSums {
    let kernel: Int, stride: Int
    var samples = 0, windows = 0
    var sum = 0.0, squares = 0.0
    /// The sum of the windows, and of their products with themselves.
    var firsts: [Double]
    var products: [Double]
    /// The samples seen that the next window needs.
    private var pending: [Float] = []

    init(kernel: Int, stride: Int) {
        self.kernel = kernel
        self.stride = stride
        firsts = Array(repeating: 0, count: kernel)
        products = Array(repeating: 0, count: kernel * kernel)
    }

    mutating func add(_ piece: [Float]) {
        samples += piece.count
        for sample in piece {
            sum += Double(sample)
            squares += Double(sample) * Double(sample)
        }
        pending += piece
        var start = 0
        pending.withUnsafeBufferPointer { pending in
            firsts.withUnsafeMutableBufferPointer { firsts in
                products.withUnsafeMutableBufferPointer { products in
                    while start + kernel <= pending.count {
                        for row in 0..<kernel {
                            let value = Double(pending[start + row])
                            firsts[row] += value
                            for column in 0..<kernel {
                                products[row * kernel + column] +=
                                    value * Double(pending[start + column])
                            }
                        }
                        start += stride
                        windows += 1
                    }
                }
            }
        }
        pending.removeFirst(min(start, pending.count))
    }
}
