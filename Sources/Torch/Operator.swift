import CTorch

/// One of libtorch's operators, as it is registered there: `Operator("aten::conv1d")`.
///
/// Arguments stand in the order of the operator's schema (`native_functions.yaml`); what is left
/// out at the end takes the schema's default. A wrong shape is the caller's bug: it traps with
/// torch's message and the arguments.
public struct Operator: @unchecked Sendable {
    // Unchecked: the handle points to what libtorch keeps unchanged for the life of the process.
    private let handle: LoopyOperator
    private let name: StaticString

    /// - Parameter overload: what stands behind the point of the schema's name: "Tensor" of
    ///   "add.Tensor".
    public init(_ name: StaticString, _ overload: StaticString = "") {
        self.name = name
        var found: LoopyOperator?
        let message = name.withUTF8Buffer { name in
            overload.withUTF8Buffer { overload in
                // A StaticString's bytes end with a zero.
                loopy_torch_find(name.cString, overload.cString, &found)
            }
        }
        guard let found else {
            fatalError("\(name): libtorch has no such operator: \(takeMessage(message))")
        }
        handle = found
    }

    /// The first tensor of the results.
    @discardableResult
    public func callAsFunction(_ arguments: any OperatorArgument...) -> Tensor {
        call(arguments) { results, _ in
            guard let first = results.first, let first else {
                fatalError("\(name) gave no tensor")
            }
            for case let other? in results.dropFirst() { loopy_torch_release(other) }
            return Tensor(owning: first)
        }
    }

    /// All tensors of the results, those of lists one by one; none of an operator that only changes
    /// its arguments.
    @discardableResult
    public func tensors(_ arguments: any OperatorArgument...) -> [Tensor] {
        call(arguments) { results, _ in results.compactMap { $0.map(Tensor.init(owning:)) } }
    }

    /// A result that is a number or a truth value.
    public func number(_ arguments: any OperatorArgument...) -> Double {
        call(arguments) { results, number in
            for case let result? in results { loopy_torch_release(result) }
            return number
        }
    }

    /// - Parameter take: becomes the owner of the results, nil where they are undefined.
    private func call<Result>(
        _ arguments: [any OperatorArgument],
        _ take: (UnsafeBufferPointer<LoopyTensor?>, Double) -> Result
    ) -> Result {
        var pool = ArgumentPool(count: arguments.count)
        for argument in arguments { argument.append(to: &pool) }
        var results: UnsafeMutablePointer<LoopyTensor?>?
        var count: Int32 = 0
        var number = 0.0
        // The arguments own the tensors whose addresses are in the pool.
        let message = withExtendedLifetime(arguments) {
            loopy_torch_call(
                handle, pool.arguments, Int32(pool.arguments.count), pool.words, &results, &count,
                &number)
        }
        if let message {
            let shown = arguments.map { "\($0)" }.joined(separator: ", ")
            fatalError("\(name)(\(shown)): \(takeMessage(message))")
        }
        defer { loopy_torch_free_results(results) }
        return take(UnsafeBufferPointer(start: results, count: Int(count)), number)
    }
}

/// What an operator takes: tensors, numbers, truth values, lists of them, `nil`.
public protocol OperatorArgument {
    func append(to pool: inout ArgumentPool)
}

/// The arguments of one call, as the C ABI takes them.
public struct ArgumentPool {
    fileprivate var arguments: [LoopyArgument] = []
    fileprivate var words: [Int64] = []

    fileprivate init(count: Int) {
        arguments.reserveCapacity(count)
        words.reserveCapacity(count + 8)
    }

    fileprivate mutating func append(_ kind: LoopyArgumentKind, _ values: some Sequence<Int64>) {
        let start = words.count
        words.append(contentsOf: values)
        arguments.append(
            LoopyArgument(kind: kind, start: Int32(start), count: Int32(words.count - start)))
    }
}

extension Tensor: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentTensor, CollectionOfOne(word))
    }

    fileprivate var word: Int64 { Int64(Int(bitPattern: handle.pointer)) }
}

extension Int: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentInteger, CollectionOfOne(Int64(self)))
    }
}

extension Double: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentReal, CollectionOfOne(Int64(bitPattern: bitPattern)))
    }
}

extension Bool: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentFlag, CollectionOfOne(self ? 1 : 0))
    }
}

extension StaticString: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentText, CollectionOfOne(Int64(Int(bitPattern: utf8Start))))
    }
}

extension ElementType: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentInteger, CollectionOfOne(Int64(code)))
    }
}

extension Device: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentDevice, [Int64(type), Int64(index)])
    }
}

extension Generator: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentGenerator, CollectionOfOne(Int64(Int(bitPattern: pointer))))
    }
}

extension Optional: OperatorArgument where Wrapped: OperatorArgument {
    public func append(to pool: inout ArgumentPool) {
        if let self {
            self.append(to: &pool)
        } else {
            pool.append(LoopyArgumentNone, EmptyCollection())
        }
    }
}

/// An argument that takes the schema's default, where later ones do not.
public struct DefaultArgument: OperatorArgument {
    public init() {}

    public func append(to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentDefault, EmptyCollection())
    }
}

/// What lists of arguments can hold.
public protocol OperatorListElement {
    static func append(_ list: [Self], to pool: inout ArgumentPool)
}

extension Array: OperatorArgument where Element: OperatorListElement {
    public func append(to pool: inout ArgumentPool) { Element.append(self, to: &pool) }
}

extension Int: OperatorListElement {
    public static func append(_ list: [Int], to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentIntegers, list.lazy.map(Int64.init))
    }
}

extension Double: OperatorListElement {
    public static func append(_ list: [Double], to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentReals, list.lazy.map { Int64(bitPattern: $0.bitPattern) })
    }
}

extension Bool: OperatorListElement {
    public static func append(_ list: [Bool], to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentFlags, list.lazy.map { $0 ? 1 : 0 })
    }
}

extension Tensor: OperatorListElement {
    public static func append(_ list: [Tensor], to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentTensors, list.lazy.map(\.word))
    }
}

extension Optional: OperatorListElement where Wrapped == Tensor {
    public static func append(_ list: [Tensor?], to pool: inout ArgumentPool) {
        pool.append(LoopyArgumentOptionalTensors, list.lazy.map { $0?.word ?? 0 })
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The C string of bytes that are known to end with a zero.
    fileprivate var cString: UnsafePointer<CChar>? {
        baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
    }
}
