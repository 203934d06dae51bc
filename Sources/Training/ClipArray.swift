import Storage
import Torch

/// Numbers as a shard stores them: half the memory of the tensor that they become.
struct StoredArray {
    /// Of the type that they are stored in.
    let values: Tensor

    /// Elements that libtorch converts without sharing them out among threads: those of the reading
    /// thread would take the training's processors, waiting for one another most of the time.
    private static let pieceSize = 1 << 15

    init(_ values: Tensor) { self.values = values }

    /// Memory of its own, which `fill` is lent to write the values into.
    init(
        type: ElementType, shape: [Int], _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        let memory = Memory(count: shape.reduce(type.size, *))
        try fill(memory.bytes)
        values = Tensor(
            sharing: memory.bytes.baseAddress!,  // allocated
            shape: shape, type: type, owner: memory)
    }

    /// Some rows, not copied.
    subscript(rows: Range<Int>) -> StoredArray { StoredArray(values[rows]) }

    /// float32.
    func tensor() -> Tensor {
        let tensor = Tensor.empty([values.count])
        let stored = values.reshaped([values.count])
        for start in stride(from: 0, to: values.count, by: Self.pieceSize) {
            let piece = start..<min(values.count, start + Self.pieceSize)
            tensor[piece] = stored[piece]
        }
        return tensor.reshaped(values.shape)
    }

    /// Whether all values are numbers, neither infinite nor undefined: these have an exponent of ones.
    var isFinite: Bool {
        func isFinite<Bits: FixedWidthInteger>(_ exponent: Bits) -> Bool {
            values.withBytes { source in
                // Counted in numbers of their own width, as many at once as a register holds.
                var found: Bits = 0
                for bits in source.bindMemory(to: Bits.self) {
                    found |= bits & exponent == exponent ? 1 : 0
                }
                return found == 0
            }
        }
        return values.type == .float16 ? isFinite(UInt16(0x7c00)) : isFinite(UInt32(0x7f80_0000))
    }

    private final class Memory {
        let bytes: UnsafeMutableRawBufferPointer

        init(count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }

        deinit { bytes.deallocate() }
    }
}

/// What is read of an array whose first axis is time: some of its rows.
struct ClipRows {
    let type: ElementType
    /// Lengths of the axes after the first.
    let rowShape: [Int]
    private var parts: [(rows: Range<Int>, values: StoredArray)] = []

    init(type: ElementType, rowShape: [Int]) {
        self.type = type
        self.rowShape = rowShape
    }

    /// Reads the rows that are wanted, each once and in the order of time.
    mutating func load(
        _ wanted: [Range<Int>], _ read: (Range<Int>) throws -> StoredArray
    ) rethrows {
        for rows in Self.joined(wanted) { parts.append((rows, try read(rows))) }
    }

    /// Not copied: windows of a clip that overlap have one memory.
    ///
    /// - Precondition: they are among those that were loaded.
    subscript(rows: Range<Int>) -> StoredArray {
        guard !rows.isEmpty else { return StoredArray(.empty([0] + rowShape, type: type)) }
        guard
            let part = parts.first(where: {
                $0.rows.lowerBound <= rows.lowerBound && rows.upperBound <= $0.rows.upperBound
            })
        else { preconditionFailure("rows \(rows) were not loaded") }
        let first = rows.lowerBound - part.rows.lowerBound
        return part.values[first..<(first + rows.count)]
    }

    /// Ranges that overlap or touch become one.
    static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var joined: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                let end = max(last.upperBound, range.upperBound)
                joined[joined.count - 1] = last.lowerBound..<end
            } else {
                joined.append(range)
            }
        }
        return joined
    }
}

/// A .npy member of a clip, of which only what is needed is read.
struct ClipArray {
    /// Length of the first axis.
    let count: Int
    var rows: ClipRows
    private let archive: TarReader
    private let member: TarReader.Member
    /// Where the values begin in the member.
    private let start: Int

    /// Reads the header.
    ///
    /// - Parameters:
    ///   - name: of the member, after the clip's key.
    ///   - shape: what it must be, with nil for any length.
    /// - Throws: `LoopyError` and `LoopyError` that name shard, clip and member.
    init(_ shard: Shard, _ clip: ShardClip, _ name: String, shape: [Int?]) throws {
        guard let member = clip.members[name] else {
            let column = name.prefix { $0 != "." }
            throw shard.error(
                clip,
                "has no member \(clip.key).\(name); run loopy-extract \(column) and loopy-pack")
        }
        self.member = member
        archive = shard.archive
        let (header, start) = try Self.header(shard, clip, member)
        self.start = start
        let type: ElementType
        switch NumPyElement(rawValue: header.type) {
        case .float16: type = .float16
        case .float32: type = .float32
        default:
            throw shard.error(
                clip, "\(member.name) holds values of '\(header.type)', not float16 or float32")
        }
        let fits =
            header.shape.count == shape.count
            && zip(header.shape, shape).allSatisfy { $1 == nil || $0 == $1 }
        guard fits else {
            let letters = shape.enumerated().map { index, length in
                length.map(String.init) ?? (index == 0 ? "T" : "*")
            }
            throw shard.error(
                clip,
                "\(member.name) has the shape \(header.shape), not "
                    + "[\(letters.joined(separator: ", "))]")
        }
        count = header.shape[0]
        rows = ClipRows(type: type, rowShape: Array(header.shape.dropFirst()))
        guard let size = header.fileSize, size - header.encoded().count == member.size - start
        else {
            throw shard.error(
                clip,
                "\(member.name): \(member.size - start) bytes are not \(type) values of "
                    + "\(header.shape)")
        }
    }

    private static func header(
        _ shard: Shard, _ clip: ShardClip, _ member: TarReader.Member
    ) throws -> (NumPyHeader, start: Int) {
        var bytes = try shard.archive.read(member.name, 0..<128)
        if bytes.count >= 10 {
            let length = 10 + (Int(bytes[8]) | Int(bytes[9]) << 8)
            if length > 128 { bytes = try shard.archive.read(member.name, 0..<length) }
        }
        return try NumPyHeader.decode(
            bytes, name: "\(shard.path), clip \(clip.key): \(member.name)")
    }

    /// Reads the rows that are wanted.
    mutating func load(_ wanted: [Range<Int>]) throws {
        let (type, rowShape) = (rows.type, rows.rowShape)
        let size = rowShape.reduce(type.size, *)
        try rows.load(wanted) { range in
            try StoredArray(type: type, shape: [range.count] + rowShape) { memory in
                try archive.read(member.name, from: start + range.lowerBound * size, into: memory)
            }
        }
    }
}
