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
        let sorted = entries.sorted { precedes(($0.name, $0.type), ($1.name, $1.type)) }
        let layout = try Layout(
            ofSorted: sorted.map { ($0.name, $0.type, $0.shape) }, metadata: metadata)
        try layout.header.withUnsafeBytes(sink)
        for entry in sorted {
            let size = layout.range(of: entry.name).count
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

    private static func precedes(
        _ a: (name: String, type: ElementType), _ b: (name: String, type: ElementType)
    ) -> Bool {
        a.type == b.type
            ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
            : order[a.type, default: 0] > order[b.type, default: 0]
    }

    private static let order = Dictionary(
        uniqueKeysWithValues: ElementType.allCases.enumerated().map { ($1, $0) })

    /// Where tensors lie in a file: several processes that know it each write their part.
    public struct Layout: Sendable {
        /// What the file begins with: the header's length, and the header.
        public let header: [UInt8]
        /// The length of the file.
        public let byteCount: Int
        private let ranges: [String: Range<Int>]

        /// - Throws: `LoopyError` `.malformed` where names or sizes make no file.
        public init(
            of tensors: [(name: String, type: ElementType, shape: [Int])],
            metadata: [String: String] = [:]
        ) throws {
            try self.init(
                ofSorted: tensors.sorted { precedes(($0.name, $0.type), ($1.name, $1.type)) },
                metadata: metadata)
        }

        fileprivate init(
            ofSorted tensors: [(name: String, type: ElementType, shape: [Int])],
            metadata: [String: String]
        ) throws {
            let (header, sizes) = try SafeTensors.header(of: tensors, metadata: metadata)
            var ranges: [String: Range<Int>] = [:]
            var end = header.count
            for ((name, _, _), size) in zip(tensors, sizes) {
                ranges[name] = end..<(end + size)
                end += size
            }
            (self.header, self.ranges, byteCount) = (header, ranges, end)
        }

        /// The bytes of a tensor, counted from the file's first.
        ///
        /// - Precondition: one of the tensors.
        public func range(of name: String) -> Range<Int> {
            guard let range = ranges[name] else { fatalError("no tensor '\(name)' lies there") }
            return range
        }
    }

    /// The header with its length before it, and the bytes of each tensor.
    private static func header(
        of entries: [(name: String, type: ElementType, shape: [Int])], metadata: [String: String]
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
