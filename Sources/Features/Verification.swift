import Dataset
import Errors
import Foundation
import Media
import Storage

/// `loopy verify`: every digest and every invariant of a dataset.
public struct Verification {
    /// What is wrong, and where; one line each.
    public private(set) var problems: [String] = []
    public private(set) var files = 0
    public private(set) var clips = 0

    /// - Parameter sources: also hash the source files.
    /// - Throws: `LoopyError` when there is no dataset to check.
    public init(_ dataset: DatasetDirectory, sources: Bool) throws {
        guard FileManager.default.fileExists(atPath: dataset.catalogueFile) else {
            throw LoopyError(.missing, "\(dataset.path): holds no dataset.json")
        }
        let catalogue = try Catalogue.read(dataset)
        checkPublished(in: dataset.path)
        if sources { check(try dataset.sources()) }
        var folders = catalogue.columns.sorted { $0.key < $1.key }.map {
            dataset.path + "/" + $0.value.folder
        }
        if let measurements = catalogue.measurements {
            folders.append(dataset.measurementsFolder(measurements.fingerprint))
        }
        for folder in folders + [dataset.shardsFolder] { checkUnits(in: folder) }
        for shard in catalogue.shards { check(shard, in: dataset.shardsFolder) }
        if let selection = try? dataset.selection(), !catalogue.shards.isEmpty {
            let accepted = selection.count { $0.decision == .accept }
            let failed = Set(
                (try? JSONLines.read(Failure.self, from: dataset.failuresFile))?.compactMap(\.key)
                    ?? [])
            if clips + failed.count < accepted {
                problems.append(
                    "\(dataset.shardsFolder): \(clips) clips, but \(accepted) are accepted and "
                        + "\(failed.count) failed: run loopy-pack again")
            }
        }
    }

    private mutating func check(_ sources: [Source]) {
        for source in sources where source.probe != nil {
            files += 1
            guard let digest = try? RecordedPath(source.path).withReadablePath(Digest.ofFile)
            else {
                problems.append("\(source.path): is gone or cannot be read")
                continue
            }
            if digest != source.digest { problems.append("\(source.path): changed since ingest") }
        }
    }

    /// Files of a published dataset against its list. A card may be written on.
    private mutating func checkPublished(in folder: String) {
        let list = folder + "/" + PublishedFolder.list
        guard FileManager.default.fileExists(atPath: list) else { return }
        guard let listed = try? JSONLines.read(PublishedFile.self, from: list) else {
            problems.append("\(list): cannot be understood")
            return
        }
        for file in listed where file.name != PublishedFolder.card {
            check(folder + "/" + file.name, file.sha256, mend: "publish or download it again")
        }
    }

    /// Compares a file with its digest.
    ///
    /// - Parameters:
    ///   - sha256: what it must be.
    ///   - mend: what to do when it is another one, or is missing.
    private mutating func check(_ path: String, _ sha256: String?, mend: String) {
        files += 1
        let digest = try? Digest.ofFile(path)
        if digest == nil {
            problems.append("\(path): is missing; \(mend)")
        } else if digest != sha256 {
            problems.append("\(path): its bytes changed; delete it and \(mend)")
        }
    }

    /// Files of finished units against their records.
    private mutating func checkUnits(in folder: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names.sorted() where name.hasSuffix(".json") {
            guard
                let record = try? JSONLines.readDocument(
                    UnitRecord.self, from: folder + "/" + name)
            else {
                problems.append("\(folder)/\(name): cannot be understood")
                continue
            }
            for file in record.files {
                check(
                    folder + "/" + file.name, file.sha256, mend: "run its stage again")
            }
        }
    }

    /// Members of a shard against each other.
    private mutating func check(_ shard: Catalogue.Shard, in folder: String) {
        let path = folder + "/" + shard.name
        let archive: TarReader
        do {
            archive = try TarReader(path)
        } catch {
            problems.append("\(error)")
            return
        }
        var frames = 0
        // "KEY.json" is every clip's; columns of text have others that end so.
        for member in archive.members where member.name.drop(while: { $0 != "." }) == ".json" {
            let key = String(member.name.dropLast(".json".count))
            clips += 1
            do {
                let lengths = try Self.lengths(of: key, in: archive)
                frames += lengths.values.first ?? 0
                if Set(lengths.values).count > 1 {
                    let text = lengths.sorted { $0.key < $1.key }.map { "\($0) \($1)" }
                    problems.append(
                        "\(path): clip \(key): lengths differ: \(text.joined(separator: ", "))")
                }
            } catch {
                problems.append("\(path): clip \(key): \(error)")
            }
        }
        if frames != shard.frames {
            problems.append("\(path): \(frames) frames, but dataset.json says \(shard.frames)")
        }
    }

    /// Frames of each member of a clip, as its own bytes say.
    private static func lengths(of key: String, in archive: TarReader) throws -> [String: Int] {
        var lengths: [String: Int] = [:]
        for member in archive.members where member.name.hasPrefix(key + ".") {
            let suffix = member.name.dropFirst(key.count + 1)
            switch suffix {
            case "mp4":
                let reader = try VideoReader(path: archive.path, bytes: member.bytes)
                var count = 0
                while let picture = try reader.next() {
                    if !picture.isRepeat { count += 1 }
                }
                lengths["mp4"] = count
            case "flac":
                let samples = try AudioReader.sampleCount(
                    path: archive.path, bytes: member.bytes)
                guard samples % Grid.samplesPerFrame == 0 else {
                    throw LoopyError(.malformed, "\(samples) samples are not whole frames")
                }
                lengths["flac"] = samples / Grid.samplesPerFrame
            case _ where suffix.hasSuffix("npy"):
                let head = try archive.read(member.name, 0..<NumPyHeader.longest)
                let shape = try NumPyHeader.decode(head, name: member.name).header.shape
                let rows = shape.first ?? 0
                let column = FeatureColumns.all.first { suffix == $0.name + ".npy" }
                lengths[String(suffix)] = column?.frames(rows: rows) ?? rows
            case "json":
                struct Facts: Decodable { let frames: Int }
                let facts = try JSONDecoder().decode(
                    Facts.self, from: Data(try archive.read(member.name)))
                lengths["json"] = facts.frames
            default: break
            }
        }
        return lengths
    }
}
