import Errors

/// The functions and classes of Python that a state dict may name; nothing of them is run.
///
/// What torch's own safe loader knows (torch/_weights_only_unpickler.py), less what no state dict of
/// plain tensors holds.
enum TorchGlobal {
    case orderedDictionary
    /// `torch._utils._rebuild_tensor`, and `_v2`, which adds arguments that say nothing of the bytes.
    case rebuildTensor
    /// `_v3`: of an untyped storage, for types without a storage class of their own.
    case rebuildTensorOfType
    case rebuildParameter
    /// Nil for an untyped one.
    case storage(ElementType?)
    case elementType(String)
    case size
    /// What makes a value that no tensor depends on: `torch.device`, bytes spelled as text.
    case other

    /// - Throws: `LoopyError` `.refused`, or `.unsupported` for a storage of another element type.
    init(module: String, name: String, path: String) throws {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"):
            self = .rebuildTensor
        case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTensorOfType
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", "Size"): self = .size
        case ("torch", "device"), ("_codecs", "encode"): self = .other
        case ("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage"):
            self = .storage(nil)
        case ("torch", _) where name.hasSuffix("Storage"),
            ("torch.cuda", _) where name.hasSuffix("Storage"),
            ("torch.storage", "TypedStorage"):
            guard let type = ElementType(torchStorage: name) else {
                throw LoopyError(
                    .unsupported,
                    "\(path): holds a \(module).\(name); Loopy reads "
                        + "\(ElementType.names): convert it to one of them")
            }
            self = .storage(type)
        case ("torch", _) where TorchGlobal.isElementType(name): self = .elementType(name)
        case _ where module.hasPrefix("torch.nn."):
            throw LoopyError(
                .refused,
                "\(path): holds a network (\(module).\(name)), not only its weights: "
                    + "refused; save the network's state_dict(), or convert it to safetensors")
        default:
            throw LoopyError(
                .refused,
                "\(path): asks to run \(module).\(name): refused; if you trust the file, "
                    + "convert it to safetensors where torch is installed")
        }
    }

    /// Whether a name is one of torch's dtypes, whether Loopy reads it or not.
    private static func isElementType(_ name: String) -> Bool {
        let families = ["float", "bfloat", "complex", "int", "uint", "qint", "quint", "bits"]
        return name == "bool"
            || families.contains { family in
                name.hasPrefix(family) && name.dropFirst(family.count).first?.isNumber == true
                    && name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
            }
    }
}

extension PickleMachine {
    /// What a global makes of its arguments.
    mutating func make(_ global: TorchGlobal, arguments: [PickleValue]) throws -> PickleValue {
        switch global {
        case .orderedDictionary:
            guard let pairs = arguments.first else { return newContainer(.dictionary, []) }
            // Python 2 hands the pairs over as a list of lists.
            let list = try self.items(of: pairs, .list)
            // The list is copied, and may be handed over again.
            try spend(list.count)
            var items: [PickleValue] = []
            for pair in list {
                guard case .container(let index) = pair, containers[index].items.count == 2 else {
                    throw malformed("makes a dictionary of what are no pairs")
                }
                items += containers[index].items
            }
            return newContainer(.dictionary, items)
        case .rebuildTensor:
            return try tensor(arguments, type: nil)
        case .rebuildTensorOfType:
            guard arguments.count >= 7, case .global(.elementType(let name)) = arguments[6] else {
                throw malformed("makes a tensor of no element type")
            }
            guard let type = ElementType(torch: name) else {
                throw LoopyError(
                    .unsupported,
                    "\(path): holds a tensor of torch.\(name); Loopy reads "
                        + "\(ElementType.names): convert it to one of them")
            }
            return try tensor(arguments, type: type)
        case .rebuildParameter:
            guard case .tensor(let index)? = arguments.first else {
                throw malformed("makes a parameter of what is no tensor")
            }
            return .tensor(index)
        case .size:
            return newContainer(
                .tuple, try arguments.first.map { try items(of: $0, .tuple) } ?? [])
        case .other: return .other
        case .storage, .elementType: throw malformed("calls what only names a type")
        }
    }

    /// - Parameter type: the storage's where nil.
    private mutating func tensor(
        _ arguments: [PickleValue], type: ElementType?
    ) throws -> PickleValue {
        guard arguments.count >= 4, case .storage(let index) = arguments[0],
            case .integer(let offset) = arguments[1], case let storage = storages[index],
            let type = type ?? storage.type
        else { throw malformed("makes a tensor of something else than a storage and numbers") }
        let tensor = TorchTensor(
            storage: storage, type: type, offset: offset, shape: try integers(arguments[2]),
            strides: try integers(arguments[3]))
        tensors.append(tensor)
        return .tensor(tensors.count - 1)
    }

    private func integers(_ value: PickleValue) throws -> [Int] {
        let items = try items(of: value, .tuple)
        guard items.count <= StoredTensor.maximumRank else {
            throw malformed("makes a tensor of \(items.count) axes")
        }
        return try items.map { item in
            guard case .integer(let integer) = item else {
                throw malformed("has something else than numbers in a shape")
            }
            return integer
        }
    }

    /// A storage by its persistent identifier: ("storage", class, key, device, count), and in the
    /// older format the part that is meant: none or (key of the part, offset, count).
    mutating func storage(_ identifier: [PickleValue]) throws -> PickleValue {
        guard identifier.count >= 5, case .text("storage") = identifier[0],
            case .global(.storage(let type)) = identifier[1],
            case .text(let key) = identifier[2],
            case .integer(let count) = identifier[4], count >= 0,
            case (_, false) = count.multipliedReportingOverflow(by: type?.size ?? 1)
        else { throw malformed("refers to something else than a storage") }
        var view: Range<Int>?
        if identifier.count > 5, case .container = identifier[5] {
            let part = try items(of: identifier[5], .tuple)
            guard part.count == 3, case .integer(let offset) = part[1], offset >= 0,
                offset <= count, case .integer(let length) = part[2], length >= 0,
                length <= count - offset
            else { throw malformed("refers to a part that its storage does not have") }
            view = offset..<(offset + length)
        }
        storages.append(TorchStorage(key: key, type: type, count: count, view: view))
        return .storage(storages.count - 1)
    }

    // MARK: Tensors by name

    /// Nested dictionaries and lists deeper than this, or of more values, or longer names, are no
    /// state dict: a few bytes of pickle can describe a tree without end.
    private static let maximumDepth = 32
    private static let maximumNames = 1 << 18
    private static let maximumNameLength = 1024

    /// The tensors under their dotted names.
    ///
    /// - Parameters:
    ///   - root: what the pickle made.
    ///   - bytes: where a storage lies in the file, `count` elements at least.
    func contents(
        of root: PickleValue, in file: MappedFile,
        bytes: (TorchStorage) throws -> UnsafeRawBufferPointer
    ) throws -> CheckpointContents {
        guard case .container = root else {
            throw LoopyError(
                .unsupported,
                "\(file.path): holds no dictionary of tensors but a single value; "
                    + "save a dictionary, or convert it to safetensors")
        }
        var found: [(name: String, tensor: Int)] = []
        var visited = 0
        try collect(root, name: "", depth: 0, visited: &visited, into: &found)
        var contents = CheckpointContents()
        for (name, index) in found {
            let tensor = tensors[index]
            var storage = UnsafeRawBufferPointer(
                rebasing: try bytes(tensor.storage)
                    .prefix(tensor.storage.count * tensor.storage.elementSize))
            if let view = tensor.storage.view {
                let size = tensor.storage.elementSize
                storage = UnsafeRawBufferPointer(
                    rebasing: storage[(view.lowerBound * size)..<(view.upperBound * size)])
            }
            try contents.add(
                name,
                try StoredTensor(
                    name, type: tensor.type, shape: tensor.shape, strides: tensor.strides,
                    offset: tensor.offset, storage: storage, owner: file))
        }
        return contents
    }

    private func collect(
        _ value: PickleValue, name: String, depth: Int, visited: inout Int,
        into found: inout [(name: String, tensor: Int)]
    ) throws {
        visited += 1
        guard depth <= PickleMachine.maximumDepth, visited <= PickleMachine.maximumValues,
            found.count < PickleMachine.maximumNames,
            name.utf8.count <= PickleMachine.maximumNameLength
        else { throw malformed("holds more, deeper or longer names than any state dict") }
        switch value {
        case .tensor(let index): found.append((name, index))
        case .container(let index):
            let prefix = name.isEmpty ? "" : name + "."
            let container = containers[index]
            if container.kind == .dictionary {
                for index in stride(from: 0, to: container.items.count, by: 2) {
                    let key: String
                    switch container.items[index] {
                    case .text(let text): key = text
                    case .integer(let integer): key = String(integer)
                    // What else can be a key names no weights.
                    default: continue
                    }
                    try collect(
                        container.items[index + 1], name: prefix + key, depth: depth + 1,
                        visited: &visited, into: &found)
                }
            } else {
                for (index, item) in container.items.enumerated() {
                    try collect(
                        item, name: prefix + String(index), depth: depth + 1, visited: &visited,
                        into: &found)
                }
            }
        default: break
        }
    }
}
