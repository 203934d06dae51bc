import Errors

/// Hugging Face's file of tensors: the length of a header, the header in JSON, the elements.
///
/// Format and limits: https://github.com/huggingface/safetensors, README, "Format". As there, the
/// tensors must fill the file without gaps or overlaps.
public enum SafeTensors {
    /// The limit in bytes, which is the reference implementation's.
    static let maximumHeader = 100_000_000

    /// One line of the header.
    private struct Line {
        let name: String
        let type: ElementType
        let shape: [Int]
        /// Within the elements, in bytes.
        let begin: Int
        let end: Int
    }

    static func read(_ file: MappedFile) throws -> CheckpointContents {
        var reader = ByteReader(file.bytes, path: file.path)
        let length = try reader.number(UInt64.self)
        guard length <= maximumHeader else {
            throw LoopyError(
                .malformed,
                "\(file.path): its header would be \(length) bytes long, more than "
                    + "\(maximumHeader): damaged, or no safetensors file; download it again")
        }
        guard length <= reader.remaining else {
            throw LoopyError(
                .malformed,
                "\(file.path): its header should be \(length) bytes long and the file "
                    + "has \(file.bytes.count): the download was cut short; download it again")
        }
        let header = try reader.take(Int(length))
        let (lines, metadata) = try self.lines(of: header, path: file.path)
        try check(lines, against: reader.remaining, start: reader.position, path: file.path)

        let elements = try reader.take(reader.remaining)
        var contents = CheckpointContents(metadata: metadata)
        for line in lines {
            let tensor = try StoredTensor(
                line.name, type: line.type, shape: line.shape,
                strides: StoredTensor.rowMajorStrides(of: line.shape),
                storage: UnsafeRawBufferPointer(rebasing: elements[line.begin..<line.end]),
                owner: file)
            try contents.add(line.name, tensor)
        }
        return contents
    }

    private static func lines(
        of header: UnsafeRawBufferPointer, path: String
    ) throws -> ([Line], metadata: [String: String]) {
        var lines: [Line] = []
        var metadata: [String: String]?
        var scanner = JSONScanner(header, path: path)
        try scanner.object { scanner, name in
            if name == "__metadata__" {
                guard metadata == nil else { throw scanner.malformed("has __metadata__ twice") }
                var members: [String: String] = [:]
                try scanner.object { scanner, key in
                    guard members.updateValue(try scanner.string(), forKey: key) == nil else {
                        throw scanner.malformed("has the metadata \(key) twice")
                    }
                }
                metadata = members
            } else {
                lines.append(try line(name, &scanner, path: path))
            }
        }
        try scanner.end()
        return (lines, metadata ?? [:])
    }

    private static func line(
        _ name: String, _ scanner: inout JSONScanner, path: String
    ) throws -> Line {
        var typeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        func integers(_ scanner: inout JSONScanner) throws -> [Int] {
            var integers: [Int] = []
            try scanner.array { scanner in
                guard integers.count < StoredTensor.maximumRank else {
                    throw scanner.malformed("has too long a list for tensor \(name)")
                }
                integers.append(try scanner.integer())
            }
            return integers
        }
        try scanner.object { scanner, key in
            switch key {
            case "dtype": typeName = try scanner.string()
            case "shape": shape = try integers(&scanner)
            case "data_offsets": offsets = try integers(&scanner)
            default: try scanner.skip()
            }
        }
        guard let typeName, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1],
            let count = StoredTensor.count(of: shape)
        else { throw scanner.malformed("describes tensor \(name) in a way that cannot be") }
        guard let type = ElementType(rawValue: typeName) else {
            throw LoopyError(
                .unsupported,
                "\(path): tensor \(name) has elements of type \(typeName); Loopy "
                    + "reads \(ElementType.names): convert it to one of them")
        }
        guard offsets[1] - offsets[0] == count * type.size else {
            throw LoopyError(
                .malformed,
                "\(path): tensor \(name), \(typeName) of shape \(shape), is given "
                    + "\(offsets[1] - offsets[0]) bytes, not \(count * type.size): "
                    + "the header is damaged; download it again")
        }
        return Line(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
    }

    /// Checks that the tensors fill the rest of the file.
    ///
    /// - Parameters:
    ///   - available: bytes after the header.
    ///   - start: their offset in the file, for messages.
    private static func check(
        _ lines: [Line], against available: Int, start: Int, path: String
    ) throws {
        var filled = 0
        for line in lines.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
            guard line.begin == filled else {
                let what = line.begin < filled ? "overlaps the one before it" : "follows a gap"
                throw LoopyError(
                    .malformed,
                    "\(path): tensor \(line.name) \(what): the header is damaged; "
                        + "download it again")
            }
            filled = line.end
        }
        // Not start + filled: a hostile header may state any number.
        guard filled <= available else {
            throw LoopyError(
                .malformed,
                "\(path): the header describes \(filled) bytes of tensors and the file "
                    + "has \(available) of them: the download was cut short; download it again")
        }
        guard filled == available else {
            throw LoopyError(
                .malformed,
                "\(path): ends \(available - filled) bytes after its last tensor "
                    + "(at byte \(start + filled)): damaged; download it again")
        }
    }
}
