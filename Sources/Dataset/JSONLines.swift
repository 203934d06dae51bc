import Foundation

/// JSON as Loopy writes it: keys in order, one value a line, the same bytes every time.
///
/// Types that are stored spell their snake_case keys out: a key strategy would double the time of
/// reading a million lines.
public enum JSONLines {
    static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()

    public static func line(_ value: some Encodable) throws -> [UInt8] {
        Array(try encoder.encode(value)) + [0x0a]
    }

    public static func write(_ values: some Sequence<some Encodable>, to path: String) throws {
        let file = try OutputFile(path)
        for value in values { try file.write(line(value)) }
        try file.commit()
    }

    /// Every line of a file.
    ///
    /// - Throws: `DatasetError` `.missing` when there is no such file, `.malformed` with the line's
    ///   number when one cannot be read.
    public static func read<Value: Decodable>(
        _ type: Value.Type, from path: String
    ) throws -> [Value] {
        let data = try contents(of: path)
        let decoder = JSONDecoder()
        var values: [Value] = []
        let lines = data.split(separator: 0x0a, omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() where !line.isEmpty {
            do {
                values.append(try decoder.decode(type, from: Data(line)))
            } catch {
                throw DatasetError(
                    .malformed, "\(path), line \(number + 1): cannot be understood (\(error))")
            }
        }
        return values
    }

    /// A file that holds one pretty-printed value.
    public static func writeDocument(_ value: some Encodable, to path: String) throws {
        let pretty = JSONEncoder()
        pretty.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        try OutputFile.write(Array(try pretty.encode(value)) + [0x0a], to: path)
    }

    public static func readDocument<Value: Decodable>(
        _ type: Value.Type, from path: String
    ) throws -> Value {
        let data = try contents(of: path)
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw DatasetError(.malformed, "\(path): cannot be understood (\(error))")
        }
    }

    private static func contents(of path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw DatasetError(.missing, "\(path): cannot be read; has the stage before run?")
        }
    }
}
