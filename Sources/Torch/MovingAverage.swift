import Errors

/// The exponential moving average of parameters: `average = d average + (1 - d) parameter`.
///
/// Averages start as the parameters are. While there were few updates, n with this one, the decay d
/// is `(1 + n) / (10 + n)` where that is less, so that the start is soon forgotten.
public final class MovingAverage {
    public let decay: Double
    /// The number of updates so far.
    public private(set) var updates = 0
    private let parameters: [(name: String, tensor: Tensor)]
    private let copies: [Tensor]
    private var isSwapped = false

    /// - Parameter decay: a number from 0, the parameters themselves, to 1, their beginning: 0.9999.
    /// - Precondition: parameters of real numbers, each name once.
    public init(_ parameters: [(name: String, tensor: Tensor)], decay: Double) {
        require(0...1 ~= decay, "an average cannot decay by \(decay)")
        requireOnce(parameters)
        for (name, tensor) in parameters {
            require(tensor.type.isReal, "\(name), \(tensor), has no average")
        }
        self.decay = decay
        self.parameters = parameters
        copies = withoutGradient { parameters.map { $0.tensor.detached().copy() } }
    }

    /// Takes the parameters into the averages.
    public func update() {
        require(!isSwapped, "parameters are not averaged while averages stand in their place")
        updates += 1
        guard !copies.isEmpty else { return }
        let decay = min(decay, Double(1 + updates) / Double(10 + updates))
        _ = withoutGradient {
            Operator.interpolateAll.tensors(copies, parameters.map(\.tensor), 1 - decay)
        }
    }

    /// The averages, by the names of the parameters. They are not copied: the next update changes them.
    public var averages: [(name: String, tensor: Tensor)] {
        require(!isSwapped, "the averages stand in the parameters' place")
        return zip(parameters, copies).map { ($0.name, $1) }
    }

    /// Runs a body with the averages instead of the parameters.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        require(!isSwapped, "the averages stand in the parameters' place already")
        swap()
        defer { swap() }
        return try body()
    }

    private func swap() {
        isSwapped.toggle()
        withoutGradient {
            for (parameter, copy) in zip(parameters, copies) {
                let former = copy.copy()
                copy.assign(parameter.tensor)
                parameter.tensor.assign(former)
            }
        }
    }

    /// What a checkpoint must hold to go on: `NAME.average` for each parameter, and `updates`, one
    /// int64. Not copied: the next update changes them.
    public var state: [(name: String, tensor: Tensor)] {
        averages.map { ($0.name + ".average", $0.tensor) }
            + [("updates", Tensor([updates], shape: []))]
    }

    /// Copies a state, of any device. Where it does not fit, nothing is changed.
    ///
    /// - Parameter state: all tensors that `state` names, and no others.
    /// - Throws: `LoopyError` `.mismatch` that lists what is missing, superfluous or of another shape.
    public func restore(_ state: [String: Tensor]) throws(LoopyError) {
        var reader = StateReader(state)
        let stored = averages.map { name, average in
            reader.take(name + ".average", average.shape, average.type)
        }
        let updates = reader.take("updates", [], .int64)?.scalar ?? 0
        try reader.finish("the moving average")
        self.updates = Int(updates)
        withoutGradient {
            for case (let copy, let stored?) in zip(copies, stored) { copy.assign(stored) }
        }
    }
}

extension Operator {
    fileprivate static let interpolateAll = Operator("aten::_foreach_lerp_", "Scalar")
}
