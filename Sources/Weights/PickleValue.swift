/// What a pickle makes, as far as weights need it.
///
/// Containers, storages and tensors stand in lists of the machine and are named here by their index:
/// no nesting is then too deep to free, and what holds itself does not leak.
enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    case text(String)
    case global(TorchGlobal)
    /// The index in `PickleMachine.containers`.
    case container(Int)
    /// The index in `PickleMachine.storages`.
    case storage(Int)
    /// The index in `PickleMachine.tensors`.
    case tensor(Int)
    /// An integer of more than 64 bits, little-endian, two's complement.
    case longInteger([UInt8])
    /// What no tensor depends on: a fraction, bytes, a device.
    case other
}

struct PickleContainer {
    enum Kind { case tuple, list, dictionary }

    let kind: Kind
    /// The items; those of a dictionary are a key, its value, the next key, …
    var items: [PickleValue] = []
}

/// A storage as a pickle names it; where its bytes are depends on the format of the file.
struct TorchStorage {
    let key: String
    /// Nil for an untyped one, which counts bytes.
    let type: ElementType?
    /// The length in elements of the type.
    let count: Int
    /// The part of the storage that is meant, in elements; the whole where nil. Written before 1.0.
    let view: Range<Int>?

    /// The number in bytes.
    var elementSize: Int { type?.size ?? 1 }
}

struct TorchTensor {
    let storage: TorchStorage
    let type: ElementType
    /// The offset of the first element in the storage or its view, in elements.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}
