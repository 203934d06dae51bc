import Errors

/// AdamW of the ranks of a group, which all have the same weights: gradients are summed, shortened and
/// applied, and the weights are the same again. In a group of one it is `AdamW`.
///
/// Where it is sharded, each rank has the moments of a part of the weights, updates these, and gives the
/// others the result: ZeRO, stage 1 (Rajbhandari et al. 2020, section 5.1).
public final class DistributedAdamW {
    private let parameters: [(name: String, tensor: Tensor)]
    private let group: ProcessGroup
    private let reduction: ElementType?
    /// Updates `updated`.
    private let optimiser: AdamW
    /// The weights that this rank updates: all, or the pieces that it owns.
    private let updated: [(name: String, tensor: Tensor)]
    /// Nil where all ranks update all weights.
    private let shards: ShardedParameters?

    /// - Parameters:
    ///   - isSharded: whether moments are shared out among the ranks.
    ///   - reduction: the type in which gradients are summed over ranks; their own when left out.
    /// - Precondition: as for `AdamW`, and the same parameters on all ranks.
    public init(
        _ parameters: [(name: String, tensor: Tensor)], settings: AdamW.Settings = .init(),
        _ group: ProcessGroup = ProcessGroup(), isSharded: Bool = false,
        reduction: ElementType? = nil, bucketBytes: Int = ProcessGroup.bucketBytes
    ) {
        self.parameters = parameters
        self.group = group
        self.reduction = reduction
        if isSharded, group.size > 1 {
            let shards = ShardedParameters(parameters, group, bucketBytes: bucketBytes)
            self.shards = shards
            // They share the weights' memory.
            updated = shards.pieces(of: group.rank).map { piece in
                let (name, tensor) = parameters[piece.index]
                return (name, ShardedParameters.view(tensor, piece))
            }
        } else {
            shards = nil
            updated = parameters
        }
        optimiser = AdamW(updated, settings: settings)
    }

    // MARK: A step

    /// Sums gradients over the ranks. A weight that no rank has a gradient of keeps none, and where only some
    /// ranks have one, the others add zeros.
    ///
    /// - Parameter numbers: numbers that are summed, too.
    /// - Returns: the sums of `numbers`.
    public func sumGradients(_ numbers: [Double] = []) throws(LoopyError) -> [Double] {
        guard let shards else {
            return try group.sumGradients(parameters, numbers: numbers, as: reduction)
        }
        let sums = try group.sum(
            numbers + parameters.map { $0.tensor.gradient == nil ? 0 : 1 })
        let isPresent = sums.dropFirst(numbers.count).map { $0 > 0 }
        let own = parameters.first?.tensor.type ?? .float32
        let part = try shards.reduceScatter(as: reduction ?? own) { parameters[$0].tensor.gradient }
        for (_, tensor) in parameters { tensor.gradient = nil }
        var start = 0
        for (piece, (_, tensor)) in zip(shards.pieces(of: group.rank), updated) {
            let end = start + piece.range.count
            tensor.gradient = isPresent[piece.index] ? part[start..<end] : nil
            start = end
        }
        return Array(sums.prefix(numbers.count))
    }

    /// Scales the summed gradients so that their norm is not above a limit.
    ///
    /// - Returns: the norm that they had.
    public func clipGradientNorm(maxNorm: Double) throws(LoopyError) -> Double {
        guard shards != nil else { return Torch.clipGradientNorm(parameters, maxNorm: maxNorm) }
        let own = gradientNorm(updated)
        let norm = try group.sum([own * own])[0].squareRoot()
        scaleGradients(updated, from: norm, maxNorm: maxNorm)
        return norm
    }

    /// The name of the first weight whose summed gradient, as far as this rank has it, is infinite or no
    /// number.
    public var firstNonFiniteGradient: String? { Torch.firstNonFiniteGradient(updated) }

    /// Changes the weights by the summed gradients, which are gone then.
    public func step(learningRate: Double) throws(LoopyError) {
        optimiser.step(learningRate: learningRate)
        optimiser.zeroGradients()
        guard let shards else { return }
        let own = Dictionary(
            uniqueKeysWithValues: zip(shards.pieces(of: group.rank), updated).map {
                ($0.index, $1.tensor)
            })
        func take(_ rank: Int, _ piece: ShardedParameters.Piece, _ numbers: Tensor) {
            guard rank != group.rank else { return }
            withoutGradient {
                ShardedParameters.view(parameters[piece.index].tensor, piece).assign(numbers)
            }
        }
        try shards.allGather({ own[$0] }, take: take)
    }

    // MARK: State

    /// What a checkpoint must hold to go on, as `AdamW.state` has it: the same whether moments are shared
    /// out, and among how many. All ranks call this, and each is given its part.
    public func state() throws(LoopyError) -> DistributedState {
        guard let shards else {
            return DistributedState(optimiser.state, group)
        }
        let own = Dictionary(uniqueKeysWithValues: optimiser.state.map { ($0.name, $0.tensor) })
        // The rank of a weight's first number says how many steps it has.
        let steps = try group.sum(
            parameters.enumerated().map { index, parameter in
                shards.owner(of: index) == group.rank
                    ? own[parameter.name + ".step"]?.scalar ?? 0 : 0
            })
        var state = DistributedState()
        for (index, (name, tensor)) in parameters.enumerated() {
            state.entries.append((name + ".step", .float32, []))
            if shards.owner(of: index) == group.rank {
                let step = Tensor([Float(steps[index])], shape: [])
                state.pieces.append(.init(name: name + ".step", start: 0, numbers: step))
            }
            guard steps[index] > 0 else { continue }
            for moment in [".exp_avg", ".exp_avg_sq"] {
                state.entries.append((name + moment, tensor.type, tensor.shape))
            }
        }
        for piece in shards.pieces(of: group.rank) where steps[piece.index] > 0 {
            for moment in [".exp_avg", ".exp_avg_sq"] {
                let name = parameters[piece.index].name + moment
                guard let numbers = own[name] else { continue }
                state.pieces.append(
                    .init(name: name, start: piece.range.lowerBound, numbers: numbers))
            }
        }
        return state
    }

    /// Copies a state, of any device and any number of ranks. Where it does not fit, nothing is changed.
    ///
    /// - Throws: as `AdamW.restore`.
    public func restore(_ state: [String: Tensor]) throws(LoopyError) {
        guard let shards else { return try optimiser.restore(state) }
        var reader = StateReader(state)
        for (name, tensor) in parameters
        where (reader.take(name + ".step", [], .float32)?.scalar ?? 0) > 0 {
            _ = reader.take(name + ".exp_avg", tensor.shape, tensor.type)
            _ = reader.take(name + ".exp_avg_sq", tensor.shape, tensor.type)
        }
        try reader.finish("the optimiser")
        var pieces: [String: Tensor] = [:]
        for piece in shards.pieces(of: group.rank) {
            let name = parameters[piece.index].name
            pieces[name + ".step"] = state[name + ".step"]
            for moment in [name + ".exp_avg", name + ".exp_avg_sq"] {
                pieces[moment] = state[moment].map { ShardedParameters.view($0, piece) }
            }
        }
        try optimiser.restore(pieces)
    }
}

/// Tensors that the ranks of a group write together: what there is, and what one rank has of it.
public struct DistributedState {
    /// All tensors, on every rank the same.
    public var entries: [(name: String, type: ElementType, shape: [Int])] = []
    /// This rank's part. The parts of all ranks are everything, each number once.
    public var pieces: [Piece] = []

    public struct Piece {
        public var name: String
        /// The index of the first number in the tensor, in the order of its axes.
        public var start: Int
        public var numbers: Tensor

        public init(name: String, start: Int, numbers: Tensor) {
            (self.name, self.start, self.numbers) = (name, start, numbers)
        }
    }

    public init() {}

    /// Shares out tensors that every rank has.
    public init(_ tensors: [(name: String, tensor: Tensor)], _ group: ProcessGroup) {
        for (index, (name, tensor)) in tensors.enumerated() {
            entries.append((name, tensor.type, tensor.shape))
            guard index % group.size == group.rank else { continue }
            pieces.append(Piece(name: name, start: 0, numbers: tensor))
        }
    }
}
