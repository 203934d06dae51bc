import Errors
import Foundation

/// A folder as Hugging Face's transformers and diffusers lay it out.
public enum CheckpointFolder {
    /// What is looked for, the first first. Half-precision variants (".fp16") are not: name the file.
    public static let names = [
        "model.safetensors", "model.safetensors.index.json",
        "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model.bin.index.json",
        "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json",
    ]

    static func weights(in folder: String) throws -> String {
        let candidates = names.map { (folder as NSString).appendingPathComponent($0) }
        guard let found = candidates.first(where: FileManager.default.fileExists(atPath:)) else {
            throw LoopyError(
                .missing,
                "\(folder): holds no weights; looked for \(names.joined(separator: ", ")):"
                    + " name the file itself, or download one of these")
        }
        return found
    }
}

/// The list of a sharded checkpoint: which tensor stands in which file.
struct ShardIndex {
    /// Paths, in the order in which the index first names them.
    let shards: [String]
    private let path: String
    /// Each tensor's name, and the index of its shard in `shards`.
    private let tensors: [(name: String, shard: Int)]
    private let metadata: [String: String]

    init(_ file: MappedFile) throws {
        let folder = (file.path as NSString).deletingLastPathComponent
        var shards: [String] = []
        var known: [String: Int] = [:]
        var tensors: [(name: String, shard: Int)] = []
        var metadata: [String: String] = [:]
        var hasMap = false
        var scanner = JSONScanner(file.bytes, path: file.path)
        try scanner.object { scanner, key in
            switch key {
            case "metadata" where scanner.peek() == UInt8(ascii: "{"):
                try scanner.object { scanner, key in
                    switch scanner.peek() {
                    case UInt8(ascii: "\""): metadata[key] = try scanner.string()
                    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
                        metadata[key] = try scanner.word()
                    default: try scanner.skip()
                    }
                }
            case "weight_map":
                hasMap = true
                try scanner.object { scanner, name in
                    let shard = try scanner.string()
                    guard !shard.isEmpty, shard != ".", shard != "..", !shard.contains("/"),
                        !shard.contains("\0")
                    else {
                        throw LoopyError(
                            .refused,
                            "\(file.path): names the shard '\(shard)', which is not a "
                                + "file beside the index")
                    }
                    let index = known[shard] ?? shards.count
                    if index == shards.count {
                        known[shard] = index
                        shards.append((folder as NSString).appendingPathComponent(shard))
                    }
                    tensors.append((name, index))
                }
            default: try scanner.skip()
            }
        }
        try scanner.end()
        guard hasMap else {
            throw LoopyError(
                .malformed,
                "\(file.path): is JSON without a weight_map: neither weights nor the "
                    + "index of any, perhaps a server's error message; download it again")
        }
        self.path = file.path
        self.shards = shards
        self.tensors = tensors
        self.metadata = metadata
    }

    /// Opens every shard.
    func contents() throws -> CheckpointContents {
        let opened = try shards.map { shard in
            guard FileManager.default.fileExists(atPath: shard) else {
                throw LoopyError(
                    .missing,
                    "\(path): names the shard \((shard as NSString).lastPathComponent), "
                        + "which is not beside it; download that as well")
            }
            return try CheckpointContents(try MappedFile(shard))
        }
        var contents = CheckpointContents(metadata: metadata)
        for (name, shard) in tensors {
            guard let tensor = opened[shard].tensors[name] else {
                throw LoopyError(
                    .malformed,
                    "\(path): places tensor \(name) in \(shards[shard]), which does not "
                        + "hold it: index and shards are not of one download; get all of them again"
                )
            }
            try contents.add(name, tensor)
        }
        return contents
    }
}
