import Errors
import Torch
import Weights

// A codec as a safetensors file, which belongs to the model that learnt its latents.
extension PatchPCA {
    private static let format = "loopy.patch-pca"
    private static let version = "1"

    /// Hands the file to the sink piece by piece; the same codec gives the same bytes.
    ///
    /// - Throws: whatever the sink throws.
    public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try SafeTensors.write(
            tensors: [
                ("components", components.reshaped(channels, 3, factor, factor)),
                ("mean", mean.reshaped(3, factor, factor)),
                ("explained_variance", Tensor(explainedVariance)),
                ("total_variance", Tensor([totalVariance], shape: [])),
            ], metadata: ["format": Self.format, "version": Self.version], to: sink)
    }

    /// - Throws: `LoopyError` `.malformed` for a file of something else, of another version, or
    ///   whose numbers are none of a codec.
    public init(_ file: Checkpoint) throws(LoopyError) {
        func refused(_ what: String) -> LoopyError {
            LoopyError(
                .malformed,
                "\(file.path): \(what): the file is of something else, or damaged; make it again")
        }
        guard file.metadata["format"] == Self.format else {
            throw refused("is no file of patch components")
        }
        guard let version = file.metadata["version"], version == Self.version else {
            let found = file.metadata["version"] ?? "none"
            throw refused("has version \(found), and version \(Self.version) is read")
        }
        let names: Set = ["components", "mean", "explained_variance", "total_variance"]
        guard Set(file.names) == names else {
            throw refused("holds \(file.names.sorted()), not \(names.sorted())")
        }
        // Copied: the file may be replaced or cut while the codec lives.
        let tensors = file.names.reduce(into: [:]) { tensors, name in
            tensors[name] = file.tensor(name).map { Tensor($0).copy() }
        }
        let components = tensors["components"]!, mean = tensors["mean"]!  // among the names
        let variances = tensors["explained_variance"]!, total = tensors["total_variance"]!
        let shape = components.shape
        guard shape.count == 4, shape[1] == 3, shape[2] == shape[3], shape[2] > 0,
            case let length = 3 * shape[2] * shape[2], (1...length).contains(shape[0]),
            mean.shape == Array(shape[1...]), variances.shape == [shape[0]], total.shape == []
        else {
            throw refused(
                "has components \(shape), mean \(mean.shape), variances \(variances.shape) and "
                    + "total \(total.shape)")
        }
        for (name, tensor) in tensors {
            guard tensor.type == .float64, tensor.isFinite else {
                throw refused("holds \(name) as \(tensor.type), or values that are no numbers")
            }
        }
        let rows = components.reshaped(shape[0], length)
        self.init(
            factor: shape[2], components: rows, mean: mean.reshaped(length),
            explainedVariance: variances.array(), totalVariance: total.scalar)
        guard Self.isOrthonormal(rows) else {
            throw refused("has components that are not orthonormal")
        }
        guard explainedVariance.allSatisfy({ $0 > 0 }),
            zip(explainedVariance, explainedVariance.dropFirst()).allSatisfy({ $0 >= $1 }),
            explainedVariance.reduce(0, +) <= totalVariance * (1 + 1e-9)
        else { throw refused("has variances that no pictures have") }
    }

    private static func isOrthonormal(_ rows: Tensor) -> Bool {
        let count = rows.length(0)
        let products: [Double] = rows.matmul(rows.transposed(0, 1)).array()
        return products.indices.allSatisfy { index in
            let expected = index / count == index % count ? 1.0 : 0
            return abs(products[index] - expected) < 1e-9
        }
    }
}
