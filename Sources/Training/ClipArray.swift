import Storage
import Torch

extension Tensor {
    /// Allocates memory for elements as a shard stores them, and lends it to `fill` to write them into.
    init(
        stored type: ElementType, shape: [Int],
        _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        let memory = Memory(count: shape.reduce(type.size, *))
        try fill(memory.bytes)
        self.init(
            sharing: memory.bytes.baseAddress!,  // allocated
            shape: shape, type: type, owner: memory)
    }

    /// Converts stored elements to float32, without libtorch sharing the work out among threads: those of
    /// the reading thread would take the training's processors, waiting for one another most of the time.
    func floats() -> Tensor {
        // As many as libtorch converts on one thread.
        let pieceSize = 1 << 15
        let floats = Tensor.empty([count])
        let stored = reshaped([count])
        for start in stride(from: 0, to: count, by: pieceSize) {
            let piece = start..<min(count, start + pieceSize)
            floats[piece] = stored[piece]
        }
        return floats.reshaped(shape)
    }

    /// Whether no stored element is infinite or undefined: these have an exponent of ones.
    var hasOnlyFiniteElements: Bool {
        func isFinite<Bits: FixedWidthInteger>(_ exponent: Bits) -> Bool {
            withBytes { source in
                // Counted in numbers of their own width, as many at once as a register holds.
                var found: Bits = 0
                for bits in source.bindMemory(to: Bits.self) {
                    found |= bits & exponent == exponent ? 1 : 0
                }
                return found == 0
            }
        }
        return type == .float16 ? isFinite(UInt16(0x7c00)) : isFinite(UInt32(0x7f80_0000))
    }

    private final class Memory {
        let bytes: UnsafeMutableRawBufferPointer

        init(count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }

        deinit { bytes.deallocate() }
    }
}

/// Some rows of an array whose first axis is time, in the type that the shard has.
struct ClipRows {
    let type: ElementType
    /// The lengths of the axes after the first.
    let rowShape: [Int]
    private var parts: [(rows: Range<Int>, values: Tensor)] = []

    init(type: ElementType, rowShape: [Int]) {
        self.type = type
        self.rowShape = rowShape
    }

    /// Reads the rows that are wanted, each once and in the order of time.
    mutating func load(
        _ wanted: [Range<Int>], _ read: (Range<Int>) throws -> Tensor
    ) rethrows {
        for rows in Self.joined(wanted) { parts.append((rows, try read(rows))) }
    }

    /// Rows that were loaded, not copied: windows of a clip that overlap have one memory.
    ///
    /// - Precondition: they are among those that were loaded.
    subscript(rows: Range<Int>) -> Tensor {
        guard !rows.isEmpty else { return .empty([0] + rowShape, type: type) }
        guard
            let part = parts.first(where: {
                $0.rows.lowerBound <= rows.lowerBound && rows.upperBound <= $0.rows.upperBound
            })
        else { preconditionFailure("rows \(rows) were not loaded") }
        let first = rows.lowerBound - part.rows.lowerBound
        return part.values[first..<(first + rows.count)]
    }

    /// Joins ranges that overlap or touch.
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
    /// The length of the first axis.
    let count: Int
    var rows: ClipRows
    private let archive: TarReader
    private let member: TarReader.Member
    /// Where the values begin in the member.
    private let start: Int

    /// Reads the header.
    ///
    /// - Parameters:
    ///   - name: the member's name after the clip's key.
    ///   - shape: the shape that it must have, with nil for any length.
    /// - Throws: `LoopyError` that names shard, clip and member.
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
            try Tensor(stored: type, shape: [range.count] + rowShape) { memory in
                try archive.read(member.name, from: start + range.lowerBound * size, into: memory)
            }
        }
    }
}
