import Errors
import Foundation
import Synchronization

/// JSON as Loopy writes it: keys in order, one value a line, numbers that can have a fraction always
/// with one, the same bytes every time.
///
/// Types that are stored spell their snake_case keys out: a key strategy would double the time of
/// reading a million lines.
public enum JSONLines {
    public static func line(_ value: some Encodable) throws -> [UInt8] {
        try JSONValue(encoding: value).line + [0x0a]
    }

    public static func write(_ values: some Sequence<some Encodable>, to path: String) throws {
        let file = try OutputFile(path)
        for value in values { try file.write(line(value)) }
        try file.commit()
    }

    /// Every line of a file.
    ///
    /// - Throws: `LoopyError` `.missing` when there is no such file, `.malformed` with the line's
    ///   number when one cannot be read.
    public static func read<Value: Decodable & Sendable>(
        _ type: Value.Type, from path: String
    ) throws -> [Value] {
        let data = try contents(of: path)
        let lines = lineRanges(data)
        // Decoding is what takes time: long files are shared out among the processors.
        let pieces = lines.count < 500 ? 1 : Processors.available
        let results = Mutex<[Int: Result<[Value], any Error>]>([:])
        DispatchQueue.concurrentPerform(iterations: pieces) { piece in
            let range = lines.count * piece / pieces..<lines.count * (piece + 1) / pieces
            let decoder = JSONDecoder()
            decoder.userInfo[LineMemory.key] = LineMemory()
            let decoded = Result {
                try range.filter { !lines[$0].isEmpty }.map { number in
                    do {
                        return try decoder.decode(type, from: data[lines[number]])
                    } catch {
                        throw LoopyError(
                            .malformed,
                            "\(path), line \(number + 1): cannot be understood (\(error))")
                    }
                }
            }
            results.withLock { $0[piece] = decoded }
        }
        return try results.withLock { found in
            try (0..<pieces).flatMap { try found[$0]?.get() ?? [] }
        }
    }

    /// The text of every line, as `read` decodes them, without its end.
    ///
    /// - Throws: `LoopyError` `.missing` when there is no such file.
    public static func lines(of path: String) throws -> [Data] {
        let data = try contents(of: path)
        return lineRanges(data).filter { !$0.isEmpty }.map { data[$0] }
    }

    private static func lineRanges(_ data: Data) -> [Range<Int>] {
        data.withUnsafeBytes { bytes in
            var ranges: [Range<Int>] = []
            var start = 0
            while start < bytes.count {
                let rest = bytes.baseAddress! + start  // there is at least one byte
                let end =
                    memchr(rest, 0x0a, bytes.count - start).map {
                        UnsafeRawPointer($0) - bytes.baseAddress!
                    } ?? bytes.count
                ranges.append((data.startIndex + start)..<(data.startIndex + end))
                start = end + 1
            }
            return ranges
        }
    }

    /// A file that holds one pretty-printed value.
    public static func writeDocument(_ value: some Encodable, to path: String) throws {
        try OutputFile.write(try document(value), to: path)
    }

    public static func document(_ value: some Encodable) throws -> [UInt8] {
        try JSONValue(encoding: value).document + [0x0a]
    }

    public static func readDocument<Value: Decodable>(
        _ type: Value.Type, from path: String
    ) throws -> Value {
        let data = try contents(of: path)
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw LoopyError(.malformed, "\(path): cannot be understood (\(error))")
        }
    }

    private static func contents(of path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw LoopyError(.missing, "\(path): cannot be read; has the stage before run?")
        }
    }
}

/// What one line of a file leaves for those after it, while `JSONLines.read` decodes them: finding the names
/// of a line's keys out takes as long as decoding their values.
public final class LineMemory: Sendable {
    static let key = CodingUserInfoKey(rawValue: "LineMemory")!  // any text is a key
    private let kept = Mutex<(any Sendable)?>(nil)

    /// The memory of the file that a decoder decodes a line of; nil where it decodes a value by itself.
    public static func of(_ decoder: any Decoder) -> LineMemory? {
        decoder.userInfo[key] as? LineMemory
    }

    public func value<Value: Sendable>(_ type: Value.Type) -> Value? {
        kept.withLock { $0 as? Value }
    }

    public func keep(_ value: some Sendable) { kept.withLock { $0 = value } }
}
