import Torch

/// A batch in which some samples' references are dropped: which have theirs. Layers that look at the
/// reference run once for those that have it and once for the others, so that nothing is computed to be
/// masked.
struct ReferenceDivision {
    /// Whether each sample has a reference.
    let hasReference: [Bool]
    /// Samples with a reference, and without: int64.
    let referenced: Tensor, others: Tensor
    /// The index of each sample among those with a reference, followed by the others: int64 `[B]`.
    let positions: Tensor

    /// Nil where all samples have a reference, or none has.
    init?(_ hasReference: [Bool], device: Device) {
        guard hasReference.contains(true), hasReference.contains(false) else { return nil }
        self.hasReference = hasReference
        let referenced = hasReference.indices.filter { hasReference[$0] }
        let others = hasReference.indices.filter { !hasReference[$0] }
        var positions = Array(repeating: Int64(0), count: hasReference.count)
        for (position, sample) in (referenced + others).enumerated() {
            positions[sample] = Int64(position)
        }
        self.referenced = Tensor(referenced.map(Int64.init), device: device)
        self.others = Tensor(others.map(Int64.init), device: device)
        self.positions = Tensor(positions, device: device)
    }
}

extension ReferenceDivision? {
    /// Runs a layer for the samples with a reference and for those without.
    ///
    /// - Parameters:
    ///   - reference: features of the samples that have one; nil where none has.
    ///   - x: the values of all samples: `[B N, …]`.
    func running(
        _ reference: Tensor?, _ x: Tensor, _ layer: (_ reference: Tensor?, Tensor) -> Tensor
    ) -> Tensor {
        guard let self, let reference else { return layer(reference, x) }
        let samples = x.perSample(self.hasReference.count)
        func part(_ indices: Tensor) -> Tensor {
            samples.indexSelect(indices, along: 0).flattened(from: 0, through: 1)
        }
        let results = concatenated(
            [layer(reference, part(self.referenced)), layer(nil, part(self.others))], along: 0)
        return results.perSample(self.hasReference.count).indexSelect(self.positions, along: 0)
            .flattened(from: 0, through: 1)
    }
}
