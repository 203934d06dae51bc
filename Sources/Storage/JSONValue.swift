import Foundation

/// A JSON value of whatever shape: what a file holds whose types its reader does not know.
///
/// Its text is the same every time: keys in order, and every number that can have a fraction has one
/// (`1.0`, never `1`), so that readers that guess types from values (Hugging Face's datasets, DuckDB,
/// pandas) guess the same for every line.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value with the members of another object in the place of its own, all the way down.
    ///
    /// So settings that an earlier version stored are read: what they lack keeps its default.
    public func updated(with other: JSONValue) -> JSONValue {
        guard case .object(let mine) = self, case .object(let others) = other else { return other }
        return .object(mine.merging(others) { $0.updated(with: $1) })
    }
}

// MARK: Text

extension JSONValue {
    /// The value in UTF-8, on one line.
    public var line: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: nil)
        return bytes
    }

    /// The value in UTF-8, a member a line.
    public var document: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: 0)
        return bytes
    }

    /// - Parameter indentation: the level of nesting; nil for text on one line.
    private func append(to bytes: inout [UInt8], indentation: Int?) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += value.description.utf8
        case .unsigned(let value): bytes += value.description.utf8
        case .number(let value): bytes += value.description.utf8
        case .string(let text): Self.append(text, to: &bytes)
        case .array(let values):
            Self.append("[", values, "]", to: &bytes, indentation) { value, bytes, indentation in
                value.append(to: &bytes, indentation: indentation)
            }
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            Self.append("{", sorted, "}", to: &bytes, indentation) { member, bytes, indentation in
                Self.append(member.key, to: &bytes)
                bytes += (indentation == nil ? ":" : ": ").utf8
                member.value.append(to: &bytes, indentation: indentation)
            }
        }
    }

    private static func append<Element>(
        _ open: String, _ elements: [Element], _ close: String, to bytes: inout [UInt8],
        _ indentation: Int?, _ appendElement: (Element, inout [UInt8], Int?) -> Void
    ) {
        func newLine(_ level: Int?) {
            guard let level, !elements.isEmpty else { return }
            bytes.append(0x0a)
            bytes += repeatElement(0x20, count: 2 * level)
        }
        bytes += open.utf8
        let inner = indentation.map { $0 + 1 }
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(inner)
            appendElement(element, &bytes, inner)
        }
        newLine(indentation)
        bytes += close.utf8
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += #"\""#.utf8
            case UInt8(ascii: "\\"): bytes += #"\\"#.utf8
            case 0x0a: bytes += #"\n"#.utf8
            case 0x0d: bytes += #"\r"#.utf8
            case 0x09: bytes += #"\t"#.utf8
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes += #"\u00"#.utf8
                bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

// MARK: Codable

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
