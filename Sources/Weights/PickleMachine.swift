import Errors

/// Runs the part of Python's pickle language in which torch writes state dicts.
///
/// A pickle is a program for a machine with a stack, and may call any function of Python: here it can
/// only name what `TorchGlobal` lists, none of which is code. The opcodes are those that protocols 2
/// to 5 write (https://docs.python.org/3/library/pickletools.html); the text-like ones of protocols 0
/// and 1 are not read. How weights are made of the values: TorchPickle.swift.
struct PickleMachine {
    /// Values made and remembered. A pickle of more is no state dict: a tensor takes about sixty.
    static let maximumValues = 1 << 22
    /// The limit in bytes; names of globals are short.
    static let maximumGlobalName = 512

    /// Stands after the pickle once `load` has returned.
    private(set) var reader: ByteReader
    var containers: [PickleContainer] = []
    var storages: [TorchStorage] = []
    var tensors: [TorchTensor] = []
    private var stack: [PickleValue] = []
    /// Heights of the stack, each where a run of arguments begins.
    private var marks: [Int] = []
    private var memo: [UInt32: PickleValue] = [:]
    private var spent = 0

    init(_ reader: ByteReader) { self.reader = reader }

    var path: String { reader.path }

    func malformed(_ what: String) -> LoopyError { reader.malformed("its pickle \(what)") }

    /// Runs one pickle to its end.
    ///
    /// - Throws: `LoopyError`.
    mutating func load() throws -> PickleValue {
        guard try reader.byte() == 0x80, case let version = try reader.byte(),
            (2...5).contains(version)
        else { throw malformed("is not of protocol 2 to 5") }
        while true {
            let opcode = try reader.byte()
            if opcode == UInt8(ascii: ".") {
                let result = try pop()
                guard stack.isEmpty, marks.isEmpty else {
                    throw malformed("leaves values behind")
                }
                return result
            }
            try run(opcode)
        }
    }

    private mutating func run(_ opcode: UInt8) throws {
        switch opcode {
        // Scalars
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "J"): try push(.integer(Int(try reader.number(Int32.self))))
        case UInt8(ascii: "K"): try push(.integer(Int(try reader.byte())))
        case UInt8(ascii: "M"): try push(.integer(Int(try reader.number(UInt16.self))))
        case 0x8a: try push(integer(of: try reader.take(Int(try reader.byte()))))
        case 0x8b: try push(integer(of: try reader.take(try reader.size(Int32.self))))
        case UInt8(ascii: "G"):
            _ = try reader.take(8)
            try push(.other)

        // Texts, and the bytes that Python 2 called texts
        case UInt8(ascii: "X"): try pushText(try reader.size(UInt32.self))
        case 0x8c: try pushText(Int(try reader.byte()))
        case 0x8d: try pushText(try reader.size(UInt64.self))
        case UInt8(ascii: "T"): try pushText(try reader.size(Int32.self), isLatin: true)
        case UInt8(ascii: "U"): try pushText(Int(try reader.byte()), isLatin: true)
        case UInt8(ascii: "B"): try skipBytes(try reader.size(UInt32.self))
        case UInt8(ascii: "C"): try skipBytes(Int(try reader.byte()))
        case 0x8e, 0x96: try skipBytes(try reader.size(UInt64.self))

        // Containers; a set counts as a list
        case UInt8(ascii: "]"), 0x8f: try push(.list, [])
        case UInt8(ascii: "}"): try push(.dictionary, [])
        case UInt8(ascii: ")"): try push(.tuple, [])
        case 0x85: try push(.tuple, try pop(1))
        case 0x86: try push(.tuple, try pop(2))
        case 0x87: try push(.tuple, try pop(3))
        case UInt8(ascii: "t"): try push(.tuple, try popToMark())
        case UInt8(ascii: "a"): try extend(.list, with: try pop(1))
        case UInt8(ascii: "e"), 0x90: try extend(.list, with: try popToMark())
        case UInt8(ascii: "s"): try extend(.dictionary, with: try pop(2))
        case UInt8(ascii: "u"): try extend(.dictionary, with: try popToMark())

        // The stack and the memo
        case UInt8(ascii: "("):
            try spend(1)
            marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): try push(try top())
        case UInt8(ascii: "q"): try remember(UInt32(try reader.byte()))
        case UInt8(ascii: "r"): try remember(try reader.number(UInt32.self))
        case 0x94: try remember(UInt32(memo.count))
        case UInt8(ascii: "h"): try pushMemo(UInt32(try reader.byte()))
        case UInt8(ascii: "j"): try pushMemo(try reader.number(UInt32.self))

        // What makes objects
        case UInt8(ascii: "c"):
            let module = try line()
            try push(.global(try TorchGlobal(module: module, name: try line(), path: path)))
        case 0x93:
            let names = try pop(2)
            guard case .text(let module) = names[0], case .text(let name) = names[1],
                max(module.utf8.count, name.utf8.count) <= PickleMachine.maximumGlobalName
            else { throw malformed("names a global by something else than a short text") }
            try push(.global(try TorchGlobal(module: module, name: name, path: path)))
        case UInt8(ascii: "R"), 0x81:
            let call = try pop(2)
            guard case .global(let global) = call[0] else { throw malformed("calls no global") }
            try push(try make(global, arguments: try items(of: call[1], .tuple)))
        case UInt8(ascii: "b"):
            // Attributes of a dictionary: torch keeps the versions of its layers there.
            _ = try pop()
            guard case .container(let index) = try top(), containers[index].kind == .dictionary
            else { throw malformed("gives attributes to what is no dictionary") }
        case UInt8(ascii: "Q"):
            let identifier = try pop()
            try push(try storage(try items(of: identifier, .tuple)))

        // The size of what follows; nothing is read ahead here
        case 0x95: _ = try reader.number(UInt64.self)
        default:
            throw malformed(
                "has the opcode 0x\(String(opcode, radix: 16)), which torch does not write")
        }
    }

    // MARK: Values

    /// Counts what takes up memory, so that a few bytes of pickle cannot fill it.
    mutating func spend(_ count: Int) throws {
        spent += count
        guard spent <= PickleMachine.maximumValues else {
            throw malformed("makes more than \(PickleMachine.maximumValues) values")
        }
    }

    private mutating func push(_ value: PickleValue) throws {
        try spend(1)
        stack.append(value)
    }

    private mutating func push(_ kind: PickleContainer.Kind, _ items: [PickleValue]) throws {
        try push(newContainer(kind, items))
    }

    mutating func newContainer(
        _ kind: PickleContainer.Kind, _ items: [PickleValue]
    ) -> PickleValue {
        containers.append(PickleContainer(kind: kind, items: items))
        return .container(containers.count - 1)
    }

    /// - Parameter isLatin: each byte is a character where the bytes are not UTF-8.
    private mutating func pushText(_ count: Int, isLatin: Bool = false) throws {
        let bytes = try reader.take(count)
        if let text = String(validating: bytes, as: UTF8.self) {
            try push(.text(text))
        } else if isLatin {
            try push(.text(String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))))
        } else {
            throw malformed("has a text that is not UTF-8")
        }
    }

    private mutating func skipBytes(_ count: Int) throws {
        _ = try reader.take(count)
        try push(.other)
    }

    private func integer(of bytes: UnsafeRawBufferPointer) -> PickleValue {
        guard bytes.count <= 8 else { return .longInteger(Array(bytes)) }
        let isNegative = (bytes.last ?? 0) & 0x80 != 0
        let value = bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) }
        return .integer(value)
    }

    private mutating func remember(_ index: UInt32) throws {
        try spend(1)
        memo[index] = try top()
    }

    private mutating func pushMemo(_ index: UInt32) throws {
        guard let value = memo[index] else { throw malformed("recalls what it never stored") }
        try push(value)
    }

    /// The text up to the end of the line.
    private mutating func line() throws -> String {
        var line: [UInt8] = []
        while case let byte = try reader.byte(), byte != 0x0a {
            guard line.count < PickleMachine.maximumGlobalName else {
                throw malformed("names a global at too great a length")
            }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    // MARK: The stack: nothing below the last mark may be taken

    private func top() throws -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.last else {
            throw malformed("takes more values than there are")
        }
        return value
    }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else {
            throw malformed("takes more values than there are")
        }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw malformed("takes values to no mark") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func extend(
        _ kind: PickleContainer.Kind, with items: [PickleValue]
    ) throws {
        guard case .container(let index) = try top(), containers[index].kind == kind,
            kind != .dictionary || items.count % 2 == 0
        else { throw malformed("puts values into what cannot hold them") }
        containers[index].items += items
    }

    func items(of value: PickleValue, _ kind: PickleContainer.Kind) throws -> [PickleValue] {
        guard case .container(let index) = value, containers[index].kind == kind else {
            throw malformed("has something else where a \(kind) should be")
        }
        return containers[index].items
    }
}
