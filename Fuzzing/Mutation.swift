import TestSupport

/// One change of a file's bytes. Offsets are taken modulo the file's length, so that a change can be
/// made after others that lengthened or shortened the file.
enum Change: CustomStringConvertible {
    case flip(offset: Int, bit: Int)
    case set(offset: Int, value: UInt8)
    /// A length, an offset or a count is overwritten.
    case integer(offset: Int, bytes: Int, isBigEndian: Bool, value: UInt64)
    case truncate(length: Int)
    case remove(offset: Int, count: Int)
    case repeated(offset: Int, count: Int, at: Int)
    case insert(offset: Int, bytes: [UInt8])
    /// Digits of a text are replaced, from the first digit after the offset on.
    case number(offset: Int, text: String)

    func apply(to bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        func index(_ offset: Int) -> Int { offset % bytes.count }
        switch self {
        case .flip(let offset, let bit): bytes[index(offset)] ^= 1 << bit
        case .set(let offset, let value): bytes[index(offset)] = value
        case .integer(let offset, let count, let isBigEndian, let value):
            let start = index(offset)
            for byte in 0..<min(count, bytes.count - start) {
                let shift = 8 * (isBigEndian ? count - 1 - byte : byte)
                bytes[start + byte] = UInt8(truncatingIfNeeded: value >> shift)
            }
        case .truncate(let length): bytes.removeSubrange(index(length)...)
        case .remove(let offset, let count):
            let start = index(offset)
            bytes.removeSubrange(start..<min(bytes.count, start + count))
        case .repeated(let offset, let count, let target):
            let start = index(offset)
            let piece = Array(bytes[start..<min(bytes.count, start + count)])
            bytes.insert(contentsOf: piece, at: index(target))
        case .insert(let offset, let piece): bytes.insert(contentsOf: piece, at: index(offset))
        case .number(let offset, let text):
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard let start = bytes[index(offset)...].firstIndex(where: digits.contains) else {
                return
            }
            let end = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
            bytes.replaceSubrange(start..<end, with: text.utf8)
        }
    }

    var description: String {
        switch self {
        case .flip(let offset, let bit): "flip bit \(bit) at \(offset)"
        case .set(let offset, let value): "set \(offset) to \(value)"
        case .integer(let offset, let bytes, let isBigEndian, let value):
            "write \(value) at \(offset), \(bytes) bytes, \(isBigEndian ? "big" : "little") endian"
        case .truncate(let length): "truncate to \(length)"
        case .remove(let offset, let count): "remove \(count) at \(offset)"
        case .repeated(let offset, let count, let target):
            "repeat \(count) from \(offset) at \(target)"
        case .insert(let offset, let bytes): "insert \(bytes.count) bytes at \(offset)"
        case .number(let offset, let text): "replace the number after \(offset) by \(text)"
        }
    }
}

/// A damaged file: the file that it was made from, and the changes.
struct Mutation {
    let name: String
    let original: [UInt8]
    var changes: [Change]

    /// The input with this index: the same for the same seed.
    init(_ index: Int, seed: UInt64, of corpus: [(name: String, bytes: [UInt8])]) {
        var numbers = FixedNumbers(seed &* 0x1_0000_01b3 &+ UInt64(index))
        (name, original) = corpus[index % corpus.count]
        let other = corpus.randomElement(using: &numbers)?.bytes ?? []
        let length = original.count
        changes = (0..<Int.random(in: 1...6, using: &numbers)).map { _ in
            Self.change(length, other, &numbers)
        }
    }

    var bytes: [UInt8] { changes.reduce(into: original) { $1.apply(to: &$0) } }

    private static func change(
        _ length: Int, _ other: [UInt8], _ numbers: inout FixedNumbers
    ) -> Change {
        // Headers are where the traps are: half of the changes are made near the start.
        let isNear = Bool.random(using: &numbers)
        let offset = Int.random(in: 0..<max(1, isNear ? min(length, 512) : length), using: &numbers)
        let count = 1 << Int.random(in: 0...10, using: &numbers)
        switch Int.random(in: 0..<10, using: &numbers) {
        case 0, 1: return .flip(offset: offset, bit: Int.random(in: 0..<8, using: &numbers))
        case 2:
            let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x2d, 0x22, 0x5b, 0x7b]
            return .set(offset: offset, value: values.randomElement(using: &numbers) ?? 0)
        case 3, 4:
            return .integer(
                offset: offset, bytes: [2, 4, 8].randomElement(using: &numbers) ?? 4,
                isBigEndian: Bool.random(using: &numbers), value: integer(length, &numbers))
        case 5: return .truncate(length: Int.random(in: 0..<max(1, length), using: &numbers))
        case 6: return .remove(offset: offset, count: count)
        case 7:
            return .repeated(
                offset: offset, count: count,
                at: Int.random(in: 0..<max(1, length), using: &numbers))
        case 8:
            guard !other.isEmpty else { return .remove(offset: offset, count: count) }
            let start = Int.random(in: 0..<other.count, using: &numbers)
            return .insert(
                offset: offset, bytes: Array(other[start..<min(other.count, start + count)]))
        default:
            let texts = [
                "0", "-1", "1e308", "1e999", "99999999999999999999", "9223372036854775807",
                "-9223372036854775808", "4294967296", ".nan", ".inf", "1e-320", "",
            ]
            return .number(offset: offset, text: texts.randomElement(using: &numbers) ?? "0")
        }
    }

    /// An integer that a length should not be.
    private static func integer(_ length: Int, _ numbers: inout FixedNumbers) -> UInt64 {
        let values: [UInt64] = [
            0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
            0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, .max, UInt64(length),
            UInt64(length) &+ 1, UInt64(length) &- 1, .random(in: 0...UInt64.max, using: &numbers),
            .random(in: 0...UInt64(length), using: &numbers),
        ]
        return values.randomElement(using: &numbers) ?? 0
    }
}
