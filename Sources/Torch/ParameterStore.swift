import Weights

/// The weights of a network, by the names of its checkpoint.
///
/// A network is built once, by asking its scope for every weight: that either takes it from a
/// checkpoint or draws it. Building from a checkpoint is strict: every weight must be there with
/// its shape, and every tensor of the file must be used, or be named as left out.
public final class ParameterStore {
    public let device: Device
    private let source: Source
    /// In the order in which the network asked for them.
    public private(set) var names: [String] = []
    private var tensors: [String: Tensor] = [:]
    private var used: Set<String> = []
    private var problems: [String] = []

    private enum Source {
        case checkpoint(Checkpoint, names: [String: String])
        case generator(Generator)
    }

    /// Builds a network with the weights of a checkpoint.
    ///
    /// On the CPU they lie where the file is mapped, if it holds them as float32: networks that are
    /// to be changed are each loaded from a `Checkpoint` of their own.
    ///
    /// - Parameters:
    ///   - rename: the network's name of a tensor of the file; nil for one that is left out.
    ///   - build: makes the network from the outermost scope.
    /// - Throws: `TorchError` `.weights` that lists what is missing, superfluous or of another shape.
    public static func load<Network>(
        _ checkpoint: Checkpoint, device: Device = .cpu,
        rename: (String) -> String? = { $0 }, _ build: (Scope) throws -> Network
    ) throws -> Network {
        var stored: [String: String] = [:]
        var problems: [String] = []
        for name in checkpoint.names {
            guard let renamed = rename(name) else { continue }
            if let other = stored.updateValue(name, forKey: renamed) {
                problems.append("has \(other) and \(name), which are both \(renamed)")
            }
        }
        let store = ParameterStore(.checkpoint(checkpoint, names: stored), device)
        store.problems = problems
        let network = try build(Scope(store, ""))
        try store.verify(checkpoint, Array(stored.keys))
        return network
    }

    /// A store that draws its weights, from the distributions that PyTorch draws them from, on the
    /// generator's device. Which numbers come out depends on the order in which a network asks.
    public convenience init(drawing generator: Generator) {
        self.init(.generator(generator), generator.device)
    }

    /// The outermost scope.
    public var root: Scope { Scope(self, "") }

    private init(_ source: Source, _ device: Device) {
        self.source = source
        self.device = device
    }

    public subscript(_ name: String) -> Tensor? { tensors[name] }

    fileprivate func parameter(
        _ name: String, _ shape: [Int], _ initial: InitialValues
    ) -> Tensor {
        require(tensors[name] == nil, "the network asks for '\(name)' twice")
        let tensor = withoutGradient { make(name, shape, initial) }
        tensors[name] = tensor
        names.append(name)
        return tensor
    }

    private func make(_ name: String, _ shape: [Int], _ initial: InitialValues) -> Tensor {
        switch source {
        case .generator(let generator):
            return initial.tensor(shape, generator)
        case .checkpoint(let checkpoint, let storedNames):
            guard let storedName = storedNames[name],
                let stored = checkpoint.tensor(storedName)
            else {
                problems.append("lacks \(name) \(shape)")
                return .zeros(shape, device: device)
            }
            used.insert(name)
            guard stored.shape == shape else {
                problems.append("\(storedName) is \(stored.shape), not \(shape)")
                return .zeros(shape, device: device)
            }
            let tensor = Tensor(stored).to(device).contiguous()
            return stored.type.isReal ? tensor.to(.float32) : tensor
        }
    }

    fileprivate func has(_ name: String) -> Bool {
        guard case .checkpoint(_, let storedNames) = source else { return false }
        return storedNames[name] != nil
    }

    fileprivate func ignore(_ name: String) { used.insert(name) }

    private func verify(_ checkpoint: Checkpoint, _ stored: [String]) throws(TorchError) {
        var found = problems
        let unused = stored.filter { !used.contains($0) }.sorted()
        found += unused.map { "has \($0), which is not used" }
        guard !found.isEmpty else { return }
        let shown = 8
        let more = found.count > shown ? "; and \(found.count - shown) more" : ""
        throw TorchError(
            .weights,
            "\(checkpoint.files.joined(separator: ", ")): the weights are of another network: "
                + found.prefix(shown).joined(separator: "; ") + more)
    }
}

/// A place in the names of a parameter store: `scope["encoder"]["layers"][0]["fc1"]`.
public struct Scope {
    private let store: ParameterStore
    private let path: String

    fileprivate init(_ store: ParameterStore, _ path: String) {
        self.store = store
        self.path = path
    }

    public subscript(_ name: String) -> Scope { Scope(store, join(name)) }

    public subscript(_ index: Int) -> Scope { self[String(index)] }

    /// One weight, on the store's device: float32, or the integers that the checkpoint has.
    ///
    /// - Parameter initial: what it is where no checkpoint gives it.
    public func parameter(
        _ name: String, _ shape: [Int], _ initial: InitialValues
    ) -> Tensor {
        store.parameter(join(name), shape, initial)
    }

    /// Whether the checkpoint has a tensor of that name: published files spell some in two ways.
    public func has(_ name: String) -> Bool { store.has(join(name)) }

    /// A tensor that the checkpoint may have, and that the network has no use for.
    public func ignore(_ name: String) { store.ignore(join(name)) }

    private func join(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}

/// How a weight begins, where it is not loaded.
public enum InitialValues {
    case constant(Double)
    /// Even between ±1/√fanIn: what PyTorch's linear and convolution layers begin with.
    case uniform(fanIn: Int)
    /// Normal, with a standard deviation.
    case normal(Double)

    fileprivate func tensor(_ shape: [Int], _ generator: Generator) -> Tensor {
        switch self {
        case .constant(let value):
            return .full(shape, value, device: generator.device)
        case .uniform(let fanIn):
            let bound = 1 / Double(max(1, fanIn)).squareRoot()
            return Tensor.uniform(shape, generator: generator) * (2 * bound) - bound
        case .normal(let deviation):
            return Tensor.normal(shape, generator: generator) * deviation
        }
    }
}
