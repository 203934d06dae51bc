import Errors

extension SafeTensors {
    /// A tensor to write.
    public struct Entry {
        public let name: String
        public let type: ElementType
        public let shape: [Int]
        /// Lends the elements in row-major order, once, when the tensor's turn comes: one that lives
        /// on a device can be fetched then, and freed after.
        public let withBytes: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void

        public init(
            _ name: String, _ type: ElementType, shape: [Int],
            withBytes: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
        ) {
            self.name = name
            self.type = type
            self.shape = shape
            self.withBytes = withBytes
        }

        /// - Parameter bytes: must be valid until the file is written.
        public init(
            _ name: String, _ type: ElementType, shape: [Int], bytes: UnsafeRawBufferPointer
        ) {
            self.init(name, type, shape: shape) { body in try body(bytes) }
        }
    }

    /// Hands a whole file to the sink piece by piece: the header, then each tensor.
    ///
    /// Tensors are sorted as the reference implementation sorts them, wide elements first and then
    /// by name, so that every one is aligned; the same tensors give the same bytes.
    ///
    /// - Parameter sink: takes the pieces in turn; each is valid during its call only.
    /// - Throws: `LoopyError` `.malformed` where names or sizes make no file, before the sink is
    ///   called for that piece; whatever the sink throws.
    public static func write(
        _ entries: [Entry], metadata: [String: String] = [:],
        to sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let rank = Dictionary(
            uniqueKeysWithValues: ElementType.allCases.enumerated().map { ($1, $0) })
        let sorted = entries.sorted {
            $0.type == $1.type
                ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
                : rank[$0.type, default: 0] > rank[$1.type, default: 0]
        }
        let (header, sizes) = try header(of: sorted, metadata: metadata)
        try header.withUnsafeBytes(sink)
        for (entry, size) in zip(sorted, sizes) {
            try entry.withBytes { bytes in
                guard bytes.count == size else {
                    throw LoopyError(
                        .malformed,
                        "tensor \(entry.name) to be written has \(bytes.count) bytes; "
                            + "\(entry.type) of shape \(entry.shape) needs \(size)")
                }
                try sink(bytes)
            }
        }
    }

    /// The header with its length before it, and the bytes of each tensor.
    private static func header(
        of entries: [Entry], metadata: [String: String]
    ) throws -> ([UInt8], sizes: [Int]) {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { quoted($0.key) + ":" + quoted($0.value) }
            members.append("\"__metadata__\":{" + pairs.joined(separator: ",") + "}")
        }
        var sizes: [Int] = []
        var names: Set<String> = ["__metadata__"]
        var offset = 0
        for entry in entries {
            guard names.insert(entry.name).inserted else {
                throw LoopyError(
                    .malformed,
                    "two tensors to be written are named \(entry.name), or the name "
                        + "is reserved: rename one")
            }
            guard entry.shape.count <= StoredTensor.maximumRank,
                entry.shape.allSatisfy({ $0 >= 0 }),
                let count = StoredTensor.count(of: entry.shape),
                case (let end, let overflow) = offset.addingReportingOverflow(
                    count * entry.type.size),
                !overflow
            else {
                throw LoopyError(
                    .malformed,
                    "tensor \(entry.name) to be written cannot have shape \(entry.shape)")
            }
            let shape = entry.shape.map(String.init).joined(separator: ",")
            members.append(
                quoted(entry.name)
                    + ":{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            sizes.append(end - offset)
            offset = end
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        // The elements start at a multiple of 8 bytes.
        text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
        guard text.count <= maximumHeader else {
            throw LoopyError(
                .malformed,
                "the header to be written would be \(text.count) bytes long, more than "
                    + "\(maximumHeader): shorten names or metadata, or split the tensors")
        }
        let length = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init)
        return (length + text, sizes)
    }

    /// A JSON string as the reference implementation writes it.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\u{8}": quoted += "\\b"
            case "\u{c}": quoted += "\\f"
            case "\u{0}"..<"\u{20}":
                let code = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
