/// The Euclidean norm of all gradients as one vector; parameters without one are passed over.
///
/// - Precondition: parameters on one device.
public func gradientNorm(_ parameters: [(name: String, tensor: Tensor)]) -> Double {
    let gradients = parameters.compactMap(\.tensor.gradient)
    guard !gradients.isEmpty else { return 0 }
    return withoutGradient {
        stacked(Operator.norms.tensors(gradients, 2.0), along: 0).norm().scalar
    }
}

/// Scales all gradients so that their norm is not above a limit, as
/// `torch.nn.utils.clip_grad_norm_`; but leaves them alone when the norm is not finite.
///
/// - Returns: the norm that they had.
/// - Precondition: parameters on one device.
@discardableResult
public func clipGradientNorm(
    _ parameters: [(name: String, tensor: Tensor)], maxNorm: Double
) -> Double {
    let norm = gradientNorm(parameters)
    scaleGradients(parameters, from: norm, maxNorm: maxNorm)
    return norm
}

/// Scales gradients, of which there may be more elsewhere, so that the norm of all is not above a limit.
func scaleGradients(
    _ parameters: [(name: String, tensor: Tensor)], from norm: Double, maxNorm: Double
) {
    let scale = maxNorm / (norm + 1e-6)
    let gradients = parameters.compactMap(\.tensor.gradient)
    guard norm.isFinite, scale < 1, !gradients.isEmpty else { return }
    _ = withoutGradient { Operator.multiplyAll.tensors(gradients, scale) }
}

/// The name of the first parameter whose gradient has an element that is infinite or no number.
///
/// - Precondition: parameters on one device.
public func firstNonFiniteGradient(_ parameters: [(name: String, tensor: Tensor)]) -> String? {
    let gradients = parameters.compactMap { name, tensor in
        tensor.gradient.map { (name: name, tensor: $0) }
    }
    guard !gradients.isEmpty else { return nil }
    let greatest = withoutGradient {
        stacked(Operator.norms.tensors(gradients.map(\.tensor), Double.infinity), along: 0)
            .array(of: Float.self)
    }
    return greatest.firstIndex { !$0.isFinite }.map { gradients[$0].name }
}

extension Operator {
    fileprivate static let norms = Operator("aten::_foreach_norm", "Scalar")
    fileprivate static let multiplyAll = Operator("aten::_foreach_mul_", "Scalar")
}
