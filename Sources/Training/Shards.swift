import Errors
import Foundation
import Storage

/// A WebDataset archive: members of a clip are named `<key>.<rest>`, in any order.
final class Shard {
    let path: String
    let archive: TarReader
    /// The clips, in the order of their first members.
    let clips: [ShardClip]
    private let indices: [String: Int]

    /// - Throws: `LoopyError` when there is no such file, or it is no whole archive.
    init(_ path: String) throws {
        self.path = path
        archive = try TarReader(path)
        var clips: [ShardClip] = []
        var indices: [String: Int] = [:]
        for member in archive.members {
            // As WebDataset has it, a key ends at the first dot of the file's name.
            let name = member.name[(member.name.lastIndex(of: "/") ?? member.name.startIndex)...]
            guard let dot = name.firstIndex(of: ".") else { continue }
            let key = String(member.name[..<dot])
            if indices[key] == nil {
                indices[key] = clips.count
                clips.append(ShardClip(key: key))
            }
            let rest = String(name[name.index(after: dot)...])
            clips[indices[key]!].members[rest] = member  // set above
        }
        self.clips = clips
        self.indices = indices
    }

    func clip(_ key: String) -> ShardClip? { indices[key].map { clips[$0] } }

    /// Makes an error that says what is wrong with a clip, and where it is.
    func error(_ clip: ShardClip, _ what: String) -> LoopyError {
        LoopyError(.malformed, "\(path), clip \(clip.key): \(what)")
    }
}

/// The members of a clip.
struct ShardClip {
    let key: String
    /// Members by what follows the key and a dot: "latents.npy", "mp4".
    var members: [String: TarReader.Member] = [:]
}

extension WindowStream {
    /// Lists the shards of a split in a folder, `<split>-*.tar`, in the order of their names.
    ///
    /// - Throws: `LoopyError` `.malformed` when the folder has none.
    public static func shards(in folder: String, split: String) throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let shards = names.filter { $0.hasPrefix(split + "-") && $0.hasSuffix(".tar") }
        guard !shards.isEmpty else {
            throw LoopyError(
                .malformed, "\(folder): holds no shard \(split)-*.tar; run loopy-pack first")
        }
        return shards.sorted().map { folder + "/" + $0 }
    }
}
