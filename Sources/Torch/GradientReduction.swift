import Errors

extension ProcessGroup {
    /// The size of the buckets that gradients are sent in.
    public static let bucketBytes = 32 << 20

    /// Sums gradients over the ranks. A parameter that no rank has a gradient of keeps none, and where only
    /// some have one, the others add zeros.
    ///
    /// - Parameters:
    ///   - numbers: numbers that are summed, too.
    ///   - type: the type in which gradients travel; their own when left out.
    /// - Returns: the sums of `numbers`.
    /// - Precondition: the same parameters on all ranks, of one type on one device.
    @discardableResult
    public func sumGradients(
        _ parameters: [(name: String, tensor: Tensor)], numbers: [Double] = [],
        as type: ElementType? = nil, bucketBytes: Int = bucketBytes
    ) throws(LoopyError) -> [Double] {
        guard size > 1 else { return numbers }
        let sums = try sum(numbers + parameters.map { $0.tensor.gradient == nil ? 0 : 1 })
        let present = zip(parameters, sums.dropFirst(numbers.count)).filter { $1 > 0 }.map(\.0)
        var bucket: [Tensor] = []
        var bytes = 0
        for (_, parameter) in present {
            bucket.append(parameter)
            bytes += parameter.count * parameter.type.size
            guard bytes >= bucketBytes else { continue }
            try sumGradients(ofBucket: bucket, as: type)
            (bucket, bytes) = ([], 0)
        }
        try sumGradients(ofBucket: bucket, as: type)
        return Array(sums.prefix(numbers.count))
    }

    private func sumGradients(
        ofBucket parameters: [Tensor], as type: ElementType?
    ) throws(LoopyError) {
        guard let own = parameters.first?.type else { return }
        let flat = withoutGradient {
            concatenated(
                parameters.map { ($0.gradient ?? $0.detached().zerosLike()).reshaped([-1]) },
                along: 0
            ).to(type ?? own)
        }
        try allReduce(flat)
        let parts = flat.to(own).split(parameters.map(\.count), along: 0)
        for (parameter, part) in zip(parameters, parts) {
            parameter.gradient = part.reshaped(parameter.shape)
        }
    }
}
