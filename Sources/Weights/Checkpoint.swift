import Errors
import Foundation

/// A network's weights by name, in one file or several, as training and publishing leave them.
///
/// Reads safetensors and torch's state dicts, of which no code is ever run. Opening checks the whole
/// structure; elements are read from the disk when they are used.
public struct Checkpoint {
    /// The path as it was given.
    public let path: String
    /// What it consists of, an index before its shards: what to take a digest of.
    public let files: [String]
    /// The names, in the order of the file's header, of the state dict, or of the index.
    public var names: [String] { contents.names }
    /// A safetensors file's `__metadata__`, or the texts and whole numbers of an index's `metadata`.
    public var metadata: [String: String] { contents.metadata }

    private let contents: CheckpointContents

    /// Opens a file, told apart by content and not by name: safetensors, torch's zip archive, torch's
    /// older format, or the index of a sharded checkpoint; or a folder as Hugging Face lays it out,
    /// in which the first of `CheckpointFolder.names` counts.
    ///
    /// Nested dictionaries give dotted names, and so do lists: `{"state_dict": {"w": …}}` is
    /// "state_dict.w". See `subtree`. Whatever is no tensor is passed over.
    ///
    /// - Throws: `LoopyError`.
    public init(_ path: String) throws {
        var isFolder: ObjCBool = false
        let file =
            FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                && isFolder.boolValue
            ? try CheckpointFolder.weights(in: path) : path
        self.path = path
        let mapped = try MappedFile(file)
        (contents, files) = try withExtendedLifetime(mapped) {
            if try FileFormat(of: mapped) == .index {
                let index = try ShardIndex(mapped)
                return (try index.contents(), [file] + index.shards)
            }
            return (try CheckpointContents(mapped), [file])
        }
    }

    /// Nil where there is none of that name.
    public func tensor(_ name: String) -> StoredTensor? { contents.tensors[name] }

    /// Those whose names begin with the prefix and a dot, without them: what stands in one of the
    /// wrappers that training puts around a state dict ("state_dict", "model", "module").
    ///
    /// - Throws: `LoopyError` `.missing`, saying what there is.
    public func subtree(_ prefix: String) throws -> Checkpoint {
        var contents = CheckpointContents(metadata: metadata)
        for name in names where name.hasPrefix(prefix + ".") {
            guard let tensor = tensor(name) else { continue }
            try contents.add(String(name.dropFirst(prefix.count + 1)), tensor)
        }
        guard !contents.names.isEmpty else {
            let beginnings = Set(names.compactMap { $0.split(separator: ".").first })
            let some = beginnings.sorted().prefix(8).joined(separator: ", ")
            throw LoopyError(
                .missing,
                "\(path): has no tensors under \(prefix); its names begin with "
                    + (some.isEmpty ? "nothing: it is empty" : some))
        }
        return Checkpoint(path: path, files: files, contents: contents)
    }

    private init(path: String, files: [String], contents: CheckpointContents) {
        self.path = path
        self.files = files
        self.contents = contents
    }
}

/// What one file holds.
struct CheckpointContents {
    private(set) var names: [String] = []
    private(set) var tensors: [String: StoredTensor] = [:]
    var metadata: [String: String] = [:]

    init(metadata: [String: String] = [:]) { self.metadata = metadata }

    /// Reads a file that is no index.
    init(_ file: MappedFile) throws {
        self = try withExtendedLifetime(file) {
            switch try FileFormat(of: file) {
            case .safeTensors: try SafeTensors.read(file)
            case .torchArchive: try TorchArchive.read(file)
            case .torchLegacy: try TorchLegacy.read(file)
            case .index:
                throw LoopyError(
                    .refused,
                    "\(file.path): is named as a shard and is itself an index; "
                        + "download the shard it should be")
            }
        }
    }

    mutating func add(_ name: String, _ tensor: StoredTensor) throws {
        guard tensors.updateValue(tensor, forKey: name) == nil else {
            throw LoopyError(
                .malformed,
                "\(tensor.owner.path): holds two tensors named \(name); rename one and "
                    + "save it again")
        }
        names.append(name)
    }
}
