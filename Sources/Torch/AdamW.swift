import Errors

/// AdamW ("Decoupled weight decay regularization", algorithm 2), as `torch.optim.AdamW`: one fused
/// operator changes all parameters.
///
/// A parameter without a gradient is left alone, by the decay too. The moments of a parameter begin
/// with its first gradient.
public final class AdamW {
    public struct Settings: Codable, Sendable, Equatable {
        /// The decay of the mean of the gradients, and of the mean of their squares.
        public var beta1 = 0.9
        public var beta2 = 0.999
        public var epsilon = 1e-8
        /// What a parameter loses each step, times the learning rate.
        public var weightDecay = 1e-2

        public init() {}
    }

    public let settings: Settings
    private let parameters: [(name: String, tensor: Tensor)]
    private let type: ElementType
    private let device: Device
    /// The moments of each parameter; nil before its first gradient.
    private var moments: [Moments?]

    private struct Moments {
        /// The means of the gradients and of their squares have the parameter's shape and type.
        let mean: Tensor
        let meanSquare: Tensor
        /// How many gradients there were: one float32, as the operator takes it.
        let step: Tensor
    }

    /// - Precondition: parameters of real numbers of one type on one device, contiguous, each name
    ///   once.
    public init(_ parameters: [(name: String, tensor: Tensor)], settings: Settings = Settings()) {
        type = parameters.first?.tensor.type ?? .float32
        device = parameters.first?.tensor.device ?? .cpu
        requireOnce(parameters)
        for (name, tensor) in parameters {
            require(
                tensor.type == type && type.isReal && tensor.device == device
                    && tensor.isContiguous,
                "\(name), \(tensor), cannot be optimised beside \(type) on \(device)")
        }
        self.parameters = parameters
        self.settings = settings
        moments = parameters.map { _ in nil }
    }

    /// Changes the parameters by their gradients, which stay.
    public func step(learningRate: Double) {
        var changed: [Tensor] = [], gradients: [Tensor] = [], means: [Tensor] = []
        var meanSquares: [Tensor] = [], steps: [Tensor] = []
        for (index, (_, parameter)) in parameters.enumerated() {
            guard let gradient = parameter.gradient else { continue }
            let moments = moments[index] ?? noMoments(parameter)
            self.moments[index] = moments
            changed.append(parameter)
            // The kernels go through memory in its order.
            gradients.append(gradient.contiguous())
            means.append(moments.mean)
            meanSquares.append(moments.meanSquare)
            steps.append(moments.step)
        }
        guard !changed.isEmpty else { return }
        withoutGradient {
            Operator.addNumberToAll.tensors(steps, 1)
            Operator.fusedAdamW.tensors(
                changed, gradients, means, meanSquares, [Tensor](), steps, learningRate,
                settings.beta1, settings.beta2, settings.weightDecay, settings.epsilon, false, false
            )
        }
    }

    /// Lets the next backward pass begin anew.
    public func zeroGradients() {
        for (_, parameter) in parameters { parameter.gradient = nil }
    }

    /// What a checkpoint must hold to go on: for each parameter `NAME.step`, and where that is not
    /// zero `NAME.exp_avg` and `NAME.exp_avg_sq`. (PyTorch's names.) Not copied: the next step
    /// changes them.
    public var state: [(name: String, tensor: Tensor)] {
        var state: [(name: String, tensor: Tensor)] = []
        for ((name, _), moments) in zip(parameters, moments) {
            state.append((name + ".step", moments?.step ?? .zeros([])))
            guard let moments else { continue }
            state.append((name + ".exp_avg", moments.mean))
            state.append((name + ".exp_avg_sq", moments.meanSquare))
        }
        return state
    }

    /// Copies a state, of any device. Where it does not fit, nothing is changed.
    ///
    /// - Parameter state: all tensors that `state` names, and no others.
    /// - Throws: `LoopyError` `.mismatch` that lists what is missing, superfluous or of another shape.
    public func restore(_ state: [String: Tensor]) throws(LoopyError) {
        var reader = StateReader(state)
        var isBegun: [Bool] = []
        for (name, parameter) in parameters {
            let step = reader.take(name + ".step", [], .float32)?.scalar ?? 0
            isBegun.append(step > 0)
            guard step > 0 else { continue }
            _ = reader.take(name + ".exp_avg", parameter.shape, type)
            _ = reader.take(name + ".exp_avg_sq", parameter.shape, type)
        }
        try reader.finish("the optimiser")
        moments = zip(parameters, isBegun).map { parameter, isBegun in
            guard isBegun else { return nil }
            let moments = noMoments(parameter.tensor)
            withoutGradient {
                // All were taken from there.
                moments.step.assign(state[parameter.name + ".step"]!)
                moments.mean.assign(state[parameter.name + ".exp_avg"]!)
                moments.meanSquare.assign(state[parameter.name + ".exp_avg_sq"]!)
            }
            return moments
        }
    }

    private func noMoments(_ parameter: Tensor) -> Moments {
        Moments(
            mean: parameter.zerosLike(), meanSquare: parameter.zerosLike(),
            step: .zeros([], device: device))
    }
}

/// Traps where two parameters have one name.
func requireOnce(_ parameters: [(name: String, tensor: Tensor)]) {
    var names: Set<String> = []
    for (name, _) in parameters {
        require(names.insert(name).inserted, "there are two parameters '\(name)'")
    }
}

extension Operator {
    fileprivate static let addNumberToAll = Operator("aten::_foreach_add_", "Scalar")
    fileprivate static let fusedAdamW = Operator("aten::_fused_adamw_")
}
