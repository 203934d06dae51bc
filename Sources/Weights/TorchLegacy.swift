import Errors

/// What `torch.save` wrote before version 1.6: a row of pickles, and after them the storages.
///
/// Format: torch/serialization.py, `_legacy_save`: a magic number, the version of the format, facts
/// about the machine, the object, the keys of the storages; then for each key how many elements its
/// storage has (64 bits), and these.
enum TorchLegacy {
    /// 0x1950a86a20f9469cfc6c, little-endian.
    private static let magic: [UInt8] = [
        0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
    ]
    private static let version = 1001

    static func read(_ file: MappedFile) throws -> CheckpointContents {
        var reader = ByteReader(file.bytes, path: file.path)
        /// Runs the next pickle of the row.
        func load() throws -> (PickleMachine, PickleValue) {
            var machine = PickleMachine(reader)
            let value = try machine.load()
            reader = machine.reader
            return (machine, value)
        }

        guard case .longInteger(magic) = try load().1 else {
            throw LoopyError(
                .unsupported,
                "\(file.path): is a pickle but not one of torch's; convert it to "
                    + "safetensors")
        }
        guard case .integer(version) = try load().1 else {
            throw LoopyError(
                .unsupported,
                "\(file.path): is of a version of torch's older format that is not "
                    + "\(version); convert it to safetensors")
        }
        let (facts, system) = try load()
        guard try isLittleEndian(system, facts) else {
            throw LoopyError(
                .unsupported,
                "\(file.path): was written on a machine of the other byte order; "
                    + "convert it to safetensors")
        }
        let (machine, root) = try load()
        let (list, value) = try load()
        let keys = try list.items(of: value, .list).map { item in
            guard case .text(let key) = item else {
                throw list.malformed("names a storage by something else than text")
            }
            return key
        }
        let storages = try storages(keys, of: machine, &reader)
        // Anything after the last storage is left alone, as torch does: a stream may go on.
        return try machine.contents(of: root, in: file) { storage in
            guard let bytes = storages[storage.key] else {
                throw LoopyError(
                    .malformed, "\(file.path): lacks the storage \(storage.key); download it again")
            }
            return bytes
        }
    }

    private static func isLittleEndian(
        _ system: PickleValue, _ machine: PickleMachine
    ) throws -> Bool {
        let items = try machine.items(of: system, .dictionary)
        for index in stride(from: 0, to: items.count, by: 2) {
            if case .text("little_endian") = items[index], case .bool(false) = items[index + 1] {
                return false
            }
        }
        return true
    }

    /// The offset of each storage.
    private static func storages(
        _ keys: [String], of machine: PickleMachine, _ reader: inout ByteReader
    ) throws -> [String: UnsafeRawBufferPointer] {
        var expected: [String: TorchStorage] = [:]
        for storage in machine.storages {
            if let first = expected[storage.key],
                first.type != storage.type || first.count != storage.count
            {
                throw reader.malformed("its pickle describes storage \(storage.key) in two ways")
            }
            expected[storage.key] = storage
        }
        var storages: [String: UnsafeRawBufferPointer] = [:]
        for key in keys {
            let count = try reader.size(Int64.self)
            guard let storage = expected[key], storage.count == count, storages[key] == nil else {
                throw reader.malformed("its storage \(key) is not the one that its pickle names")
            }
            let size = count * storage.elementSize
            guard size <= reader.remaining else {
                throw LoopyError(
                    .malformed,
                    "\(reader.path): storage \(key) should have \(size) bytes and "
                        + "\(reader.remaining) are left: the download was cut short; download it "
                        + "again")
            }
            storages[key] = try reader.take(size)
        }
        return storages
    }
}
