import Errors
import Weights

/// The weights of a network, by the names of its checkpoint.
///
/// A network is built once, by asking its scope for every weight: that takes it from a checkpoint,
/// draws it, or only notes its shape. Building from a checkpoint is strict: every weight must be
/// there with its shape, and every tensor of the file must be used, or be named as left out.
public final class ParameterStore {
    public let device: Device
    private let source: Source
    /// The names, in the order in which the network asked for them.
    public private(set) var names: [String] = []
    private var tensors: [String: Tensor] = [:]
    private var used: Set<String> = []
    private var problems: [String] = []
    private var typeOfWeight: ((String) -> ElementType)?

    private enum Source {
        case checkpoint(Checkpoint, names: [String: String])
        case generator(Generator)
        case nothing
    }

    /// Builds a network with the weights of a checkpoint.
    ///
    /// On the CPU they lie where the file is mapped, if it holds them as float32: networks that are
    /// to be changed are each loaded from a `Checkpoint` of their own.
    ///
    /// - Parameters:
    ///   - rename: the network's name of a tensor of the file; nil for one that is left out.
    ///   - build: makes the network from the outermost scope.
    /// - Throws: `LoopyError` `.malformed` that lists what is missing, superfluous or of another shape.
    public static func load<Network>(
        _ checkpoint: Checkpoint, device: Device = .cpu,
        rename: (String) -> String? = { $0 }, _ build: (Scope) throws -> Network
    ) throws -> Network {
        let (stored, problems) = Self.names(of: checkpoint, rename)
        let store = ParameterStore(.checkpoint(checkpoint, names: stored), device)
        store.problems = problems
        let network = try build(Scope(store, ""))
        let unused = stored.keys.filter { !store.used.contains($0) }.sorted()
        store.problems += unused.map { "has \($0), which is not used" }
        try refuse(checkpoint, store.problems)
        return network
    }

    /// A store that draws its weights, from the distributions that PyTorch draws them from, on the
    /// generator's device. Which numbers come out depends on the order in which a network asks.
    ///
    /// - Parameter type: the type in which a weight is kept, by its name; float32 when left out.
    public convenience init(
        drawing generator: Generator, type: ((String) -> ElementType)? = nil
    ) {
        self.init(.generator(generator), generator.device)
        typeOfWeight = type
    }

    /// A store of names and shapes: its weights are zeros without memory of their own, so that the
    /// largest network can be built to be looked at.
    public static func describing() -> ParameterStore { ParameterStore(.nothing, .cpu) }

    /// The outermost scope.
    public var root: Scope { Scope(self, "") }

    private init(_ source: Source, _ device: Device) {
        self.source = source
        self.device = device
    }

    public subscript(_ name: String) -> Tensor? { tensors[name] }

    /// The weights, in the order in which the network asked for them.
    public var parameters: [(name: String, tensor: Tensor)] {
        names.map { ($0, tensors[$0]!) }  // each name has one
    }

    /// Makes all weights of real numbers, or those that are named so, ready to be trained.
    public func requireGradients(where isTrained: (String) -> Bool = { _ in true }) {
        for (name, tensor) in parameters where tensor.type.isReal && isTrained(name) {
            tensor.requiringGradient()
        }
    }

    /// Overwrites weights that were drawn with those of a checkpoint that may lack some of them.
    ///
    /// Strict about the checkpoint: each of its tensors must be one of the network's, of the same
    /// shape. Where one is not, nothing is changed.
    ///
    /// - Parameters:
    ///   - widened: the network's name of a convolution that may have more input channels than the file's.
    ///     The last ones weigh nothing then, so that it computes what the file's does.
    ///   - rename: the network's name of a tensor of the file; nil for one that is left out.
    /// - Returns: the names of what was overwritten.
    /// - Throws: `LoopyError` `.malformed` that lists what is superfluous or of another shape.
    @discardableResult
    public func assign(
        _ checkpoint: Checkpoint, widened: String? = nil, rename: (String) -> String? = { $0 }
    ) throws(LoopyError) -> Set<String> {
        if case .nothing = source { fatalError("a store of shapes has no weights to overwrite") }
        var (stored, problems) = Self.names(of: checkpoint, rename)
        var pairs: [(name: String, tensor: Tensor, stored: StoredTensor)] = []
        for (name, storedName) in stored.sorted(by: { $0.key < $1.key }) {
            let found = checkpoint.tensor(storedName)!  // one of the checkpoint's names
            guard let tensor = tensors[name] else {
                problems.append("has \(storedName), which is not used")
                continue
            }
            var shape = tensor.shape
            if name == widened, found.shape.count == 4 {
                shape[1] = min(shape[1], found.shape[1])
            }
            if found.shape != shape {
                problems.append("\(storedName) is \(found.shape), not \(tensor.shape)")
            } else if found.type.isReal != tensor.type.isReal {
                problems.append("\(storedName) is \(found.type), not \(tensor.type)")
            }
            pairs.append((name, tensor, found))
        }
        try Self.refuse(checkpoint, problems)
        withoutGradient {
            for (name, tensor, stored) in pairs {
                guard name == widened else {
                    tensor.assign(Tensor(stored))
                    continue
                }
                tensor.assign(.zeros(tensor.shape))
                tensor[.all, ..<stored.shape[1]].assign(Tensor(stored))
            }
        }
        return Set(stored.keys)
    }

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
        case .nothing:
            return Tensor.zeros([]).asStrided(shape, strides: shape.map { _ in 0 })
        case .generator(let generator):
            let drawn = initial.tensor(shape, generator)
            guard drawn.type.isReal, let type = typeOfWeight?(name) else { return drawn }
            return drawn.to(type)
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

    /// The file's names by the network's, and what is wrong with them.
    private static func names(
        of checkpoint: Checkpoint, _ rename: (String) -> String?
    ) -> (stored: [String: String], problems: [String]) {
        var stored: [String: String] = [:]
        var problems: [String] = []
        for name in checkpoint.names {
            guard let renamed = rename(name) else { continue }
            if let other = stored.updateValue(name, forKey: renamed) {
                problems.append("has \(other) and \(name), which are both \(renamed)")
            }
        }
        return (stored, problems)
    }

    private static func refuse(
        _ checkpoint: Checkpoint, _ problems: [String]
    ) throws(LoopyError) {
        guard !problems.isEmpty else { return }
        let shown = 8
        let more = problems.count > shown ? "; and \(problems.count - shown) more" : ""
        throw LoopyError(
            .malformed,
            "\(checkpoint.files.joined(separator: ", ")): the weights are of another network: "
                + problems.prefix(shown).joined(separator: "; ") + more)
    }
}

/// A prefix of the names of a parameter store: `scope["encoder"]["layers"][0]["fc1"]`.
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
    /// Drawn evenly between ±1/√fanIn, as PyTorch's linear and convolution layers begin.
    case uniform(fanIn: Int)
    /// Drawn from the normal distribution with a standard deviation.
    case normal(Double)
    /// What a closure makes, of the weight's shape, and has no further use for: a table of sines.
    /// Real numbers become float32.
    case values(() -> Tensor)

    fileprivate func tensor(_ shape: [Int], _ generator: Generator) -> Tensor {
        switch self {
        case .constant(let value):
            return .full(shape, value, device: generator.device)
        case .uniform(let fanIn):
            let bound = 1 / Double(max(1, fanIn)).squareRoot()
            return Tensor.uniform(shape, generator: generator) * (2 * bound) - bound
        case .normal(let deviation):
            return Tensor.normal(shape, generator: generator) * deviation
        case .values(let make):
            let values = make().detached()
            require(values.shape == shape, "\(values) is no weight of shape \(shape)")
            let dense = values.to(generator.device).contiguous()
            return values.type.isReal ? dense.to(.float32) : dense
        }
    }
}
