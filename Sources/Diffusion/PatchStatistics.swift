import Torch

/// Mean and covariance of the square patches of pictures, summed up over as many as there are, in
/// float64: memory is bounded by the patch. The same pictures in the same order give the same bits,
/// however they are divided among calls of `add`.
public struct PatchStatistics {
    /// Pixels along each side of a patch.
    public let size: Int
    /// Patches seen.
    public private(set) var count = 0
    /// Float64 `[3 size²]` and `[3 size², 3 size²]`: a patch's values by colour, row, column.
    private var sum: Tensor
    private var products: Tensor

    /// Values that are worked on at a time, about.
    private static let bandLength = 1 << 20

    public init(size: Int) {
        guard size > 0 else { fatalError("patches have at least one pixel, not \(size)") }
        self.size = size
        let length = 3 * size * size
        sum = .zeros([length], type: .float64)
        products = .zeros([length, length], type: .float64)
    }

    /// - Parameter images: `[B, 3, H, W]` in -1...1, on any device; H and W are multiples of `size`.
    public mutating func add(_ images: Tensor) {
        withoutGradient {
            for image in 0..<images.length(0) {
                let rows = max(1, Self.bandLength / (3 * images.length(3) * size)) * size
                var first = 0
                while first < images.length(2) {
                    let last = min(first + rows, images.length(2))
                    add(band: images[image..<(image + 1), .all, first..<last])
                    first = last
                }
            }
        }
    }

    private mutating func add(band: Tensor) {
        let patches = patches(of: band.to(.cpu).to(.float64), size: size)
            .flattened(from: 0, through: 2)
        // Not in place: a copy of these statistics keeps its sums.
        sum = sum + patches.sum([0])
        products = products + patches.transposed(0, 1).matmul(patches)
        count += patches.length(0)
    }

    /// Adds what others saw, of patches of the same size.
    public mutating func merge(_ other: PatchStatistics) {
        guard size == other.size else {
            fatalError("patches of \(other.size) pixels are none of \(size)")
        }
        sum = sum + other.sum
        products = products + other.products
        count += other.count
    }

    /// Float64 `[3 size²]` and `[3 size², 3 size²]`, divided by the count.
    ///
    /// - Precondition: a patch was seen.
    public var moments: (mean: Tensor, covariance: Tensor) {
        guard count > 0 else { fatalError("no patches have no mean") }
        let mean = sum / Double(count)
        let covariance = products / Double(count) - mean.unsqueezed(1) * mean.unsqueezed(0)
        return (mean, (covariance + covariance.transposed(0, 1)) / 2.0)
    }
}

/// `[B, 3, H, W]` to patches `[B, H / size, W / size, 3 size²]`, by colour, row, column.
func patches(of images: Tensor, size: Int) -> Tensor {
    let shape = images.shape
    guard shape.count == 4, shape[1] == 3, shape[2] % size == 0, shape[3] % size == 0 else {
        fatalError("\(images) are no pictures [B, 3, H, W] of whole patches of \(size) pixels")
    }
    let (rows, columns) = (shape[2] / size, shape[3] / size)
    return images.reshaped(shape[0], 3, rows, size, columns, size).permuted(0, 2, 4, 1, 3, 5)
        .reshaped(shape[0], rows, columns, 3 * size * size)
}

/// The pictures of which those are the patches: the inverse of `patches(of:size:)`.
func pictures(of patches: Tensor, size: Int) -> Tensor {
    let (batch, rows, columns) = (patches.length(0), patches.length(1), patches.length(2))
    return patches.reshaped(batch, rows, columns, 3, size, size).permuted(0, 3, 1, 4, 2, 5)
        .reshaped(batch, 3, rows * size, columns * size)
}
