import Errors

/// What `torch.save` writes since version 1.6: a zip archive with a folder of any name that holds the
/// pickle (data.pkl) and each storage as it lies in memory (data/0, data/1, …).
///
/// Format: torch/serialization.py, `_save`.
enum TorchArchive {
    static func read(_ file: MappedFile) throws -> CheckpointContents {
        let archive = try ZipArchive(file)
        let pickles = archive.names.filter { $0.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let pickle = pickles.first,
            let program = try archive.record(pickle)
        else {
            throw LoopyError(
                .unsupported,
                "\(file.path): is a zip archive and not one of torch's: it holds "
                    + "\(pickles.count) records data.pkl; if weights are in it, unpack it")
        }
        let folder = pickle.dropLast("data.pkl".count)
        guard !archive.names.contains(where: { $0 == folder + "constants.pkl" }) else {
            throw LoopyError(
                .unsupported,
                "\(file.path): holds a compiled network (TorchScript), not only its "
                    + "weights; download the plain weights, or convert it to safetensors")
        }
        if let order = try archive.record(folder + "byteorder"),
            !order.elementsEqual("little".utf8)
        {
            throw LoopyError(
                .unsupported,
                "\(file.path): was written on a machine of the other byte order; "
                    + "convert it to safetensors")
        }

        var machine = PickleMachine(ByteReader(program, path: file.path))
        let root = try machine.load()
        return try machine.contents(of: root, in: file) { storage in
            let name = folder + "data/" + storage.key
            guard let record = try archive.record(name) else {
                throw LoopyError(
                    .malformed, "\(file.path): lacks the record \(name); download it again")
            }
            let needed = storage.count * storage.elementSize
            guard record.count >= needed else {
                throw LoopyError(
                    .malformed,
                    "\(file.path): its record \(name) has \(record.count) bytes, not "
                        + "\(needed): damaged; download it again")
            }
            return record
        }
    }
}
