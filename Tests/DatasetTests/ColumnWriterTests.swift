import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct ColumnWriterTests {
    private func writer(
        _ folder: String, units: [WorkUnit], configuration: [String: Int] = [:]
    ) throws -> ColumnWriter {
        try ColumnWriter(
            "video", suffix: ".mp4", ColumnIdentity(version: 1, configuration: configuration),
            settings: configuration, dataset: DatasetDirectory(folder), units: units)
    }

    private func bytes(_ key: String) -> [UInt8] { Array("bytes of \(key)".utf8) }

    private func member(_ key: String) -> ColumnMember {
        ColumnMember(bytes: bytes(key), frames: 25 + key.utf8.count)
    }

    /// Builds every unit and lists the clips that had to be made.
    private func build(_ writer: ColumnWriter, _ units: [WorkUnit]) throws -> [String] {
        var made: [String] = []
        for unit in units {
            try writer.build(unit) { key in
                made.append(key)
                return member(key)
            }
        }
        return made
    }

    private func folder(_ writer: ColumnWriter, in folder: String) -> String {
        DatasetDirectory(folder).columnFolder("video", writer.fingerprint)
    }

    private struct Broken: Error {}

    @Test func unitsAreFinishedOrAbsent() throws {
        try withFolder { folder in
            let units = [
                WorkUnit(name: "train-00000", items: ["a", "b"]),
                WorkUnit(name: "train-00001", items: ["c"]),
            ]
            let writer = try writer(folder, units: units)
            #expect(writer.pending() == units)
            #expect(try build(writer, [units[0]]) == ["a", "b"])
            #expect(writer.pending() == [units[1]])
            #expect(writer.isFinished(units[0]))
            #expect(try build(writer, [units[1]]) == ["c"])
            try writer.finish()

            let dataset = DatasetDirectory(folder)
            let reader = try ColumnReader("video", in: dataset, catalogue: .read(dataset))
            #expect(try reader.record(units[0]).items == ["a", "b"])
            #expect(try reader.record(units[0]).frames == [26, 26])
            let archive = try reader.archive(units[0])
            #expect(archive.members.map(\.name) == ["a.mp4", "b.mp4"])
            #expect(try archive.read(reader.memberName("b")) == Array("bytes of b".utf8))
        }
    }

    @Test func aUnitWhoseFileIsCutOrGoneIsNotFinished() throws {
        try withFolder { path in
            let units = [WorkUnit(name: "train-00000", items: ["a"])]
            let writer = try writer(path, units: units)
            _ = try build(writer, units)
            let folder = folder(writer, in: path)
            let archive = try #require(names(in: folder).first { $0.hasSuffix(".tar") })
            truncate(folder + "/" + archive, 100)
            #expect(writer.pending() == units)
            _ = try build(writer, units)
            #expect(writer.pending().isEmpty)
            unlink(folder + "/" + archive)
            #expect(writer.pending() == units)
        }
    }

    @Test func anUnchangedUnitStandsAndAChangedOneIsBuiltAnew() throws {
        try withFolder { folder in
            let former = [
                WorkUnit(name: "train-00000", items: ["a", "b"]),
                WorkUnit(name: "train-00001", items: ["c"]),
            ]
            _ = try build(try writer(folder, units: former), former)
            let units = [former[0], WorkUnit(name: "train-00001", items: ["c", "d"])]
            #expect(try writer(folder, units: units).pending() == [units[1]])
        }
    }

    @Test func clipsOfAFormerSelectionAreCopied() throws {
        try withFolder { path in
            let former = [
                WorkUnit(name: "train-00000", items: ["a", "b"]),
                WorkUnit(name: "train-00001", items: ["c", "d"]),
            ]
            let first = try writer(path, units: former)
            _ = try build(first, former)
            try first.finish()

            let units = [WorkUnit(name: "train-00000", items: ["d", "a", "e"])]
            let second = try writer(path, units: units)
            #expect(second.pending() == units)
            #expect(try build(second, units) == ["e"])
            try second.finish()
            let reader = try ColumnReader(
                "video", in: DatasetDirectory(path), catalogue: .read(DatasetDirectory(path)))
            #expect(try reader.record(units[0]).frames == [26, 26, 26])
            let archive = try reader.archive(units[0])
            #expect(archive.members.map(\.name) == ["d.mp4", "a.mp4", "e.mp4"])
            #expect(try archive.read("a.mp4") == bytes("a"))
            // Units of the former selection are gone, now that nothing needs them.
            #expect(try names(in: folder(second, in: path)).count == 2)
        }
    }

    @Test func otherSettingsCopyNothing() throws {
        try withFolder { folder in
            let units = [WorkUnit(name: "train-00000", items: ["a"])]
            _ = try build(try writer(folder, units: units), units)
            let other = try writer(folder, units: units, configuration: ["size": 256])
            #expect(other.pending() == units)
            #expect(try build(other, units) == ["a"])
        }
    }

    @Test func aDamagedFormerArchiveIsPassedOver() throws {
        try withFolder { path in
            let former = [
                WorkUnit(name: "train-00000", items: ["a"]),
                WorkUnit(name: "train-00001", items: ["b"]),
            ]
            let first = try writer(path, units: former)
            _ = try build(first, former)
            let folder = folder(first, in: path)
            for name in try names(in: folder) where name.hasPrefix("train-00000") {
                if name.hasSuffix(".tar") { truncate(folder + "/" + name, 600) }
            }
            let units = [WorkUnit(name: "train-00000", items: ["a", "b"])]
            let second = try writer(path, units: units)
            #expect(try build(second, units) == ["a"])
            try second.finish()
            try JSONLines.write([Source](), to: DatasetDirectory(path).sourcesFile)
            #expect(try DatasetDirectory(path).collectFailures() == [])
        }
    }

    /// A dataset has thousands of archives; a process may open about a thousand files.
    @Test func formerArchivesAreNotAllKeptOpen() throws {
        try withFolder { folder in
            let former = (0..<40).map { WorkUnit(name: "train-\($0)", items: ["clip\($0)"]) }
            _ = try build(try writer(folder, units: former), former)
            let units = [WorkUnit(name: "all", items: former.flatMap(\.items) + ["new"])]
            let writer = try writer(folder, units: units)
            let before = try names(in: "/proc/self/fd").count
            var during = 0
            try writer.build(units[0]) { key in
                during = try names(in: "/proc/self/fd").count
                return member(key)
            }
            #expect(during > 0)
            #expect(during - before < 10)
        }
    }

    @Test func aClipThatFailsLeavesTheRestStanding() throws {
        try withFolder { folder in
            let units = [WorkUnit(name: "train-00000", items: ["a", "b", "c", "d"])]
            let writer = try writer(folder, units: units)
            try writer.build(units[0], skipping: ["c": "signal 11"]) { key in
                if key == "b" { throw Broken() }
                return member(key)
            }
            try writer.finish()
            let dataset = DatasetDirectory(folder)
            try JSONLines.write([Source](), to: dataset.sourcesFile)
            try dataset.collectFailures()
            let reader = try ColumnReader("video", in: dataset, catalogue: .read(dataset))
            #expect(try reader.record(units[0]).items == ["a", "d"])
            #expect(try reader.archive(units[0]).members.map(\.name) == ["a.mp4", "d.mp4"])
            let failures = try JSONLines.read(Failure.self, from: dataset.failuresFile)
            #expect(failures.map(\.key) == ["b", "c"])
            #expect(failures.map(\.reason) == ["failed", "crashed"])
            #expect(failures.map(\.stage) == ["video", "video"])
            #expect(failures[1].error == "signal 11")
        }
    }

    /// Ten mebibytes, which the archive's digest must follow.
    private func large(
        _ key: String, announced: Int = 10 << 20, failingAfter: Int = .max
    ) -> ColumnMember {
        ColumnMember(byteCount: announced, frames: 9) { write in
            for piece in 0..<10 {
                if piece == failingAfter { throw Broken() }
                try write([UInt8](repeating: UInt8(piece), count: 1 << 20))
            }
        }
    }

    @Test func membersMadeInPiecesAreWholeOrAbsent() throws {
        try withFolder { path in
            let units = [WorkUnit(name: "train-00000", items: ["a", "b", "c", "d", "e", "f"])]
            let writer = try writer(path, units: units)
            try writer.build(units[0]) { key in
                switch key {
                case "b": large(key, failingAfter: 7)
                case "d": large(key, announced: 10 << 20 + 1)
                case "f": large(key, announced: 1000)
                case "c": large(key)
                default: member(key)
                }
            }
            try writer.finish()
            let dataset = DatasetDirectory(path)
            let reader = try ColumnReader("video", in: dataset, catalogue: .read(dataset))
            let record = try reader.record(units[0])
            #expect(record.items == ["a", "c", "e"])
            #expect(record.frames == [26, 9, 26])
            #expect(record.failures.map(\.key) == ["b", "d", "f"])
            #expect(record.failures[1].error.contains("10485760 bytes instead of 10485761"))
            let archive = try reader.archive(units[0])
            #expect(archive.members.map(\.name) == ["a.mp4", "c.mp4", "e.mp4"])
            #expect(try archive.read("c.mp4", 3 << 20 - 1..<(3 << 20 + 1)) == [2, 3])
            #expect(try archive.read("e.mp4") == bytes("e"))
            #expect(try Digest.ofFile(archive.path) == record.files[0].sha256)

            // The same bytes as when nothing had failed.
            let plain = [WorkUnit(name: "plain", items: ["a", "c", "e"])]
            let other = try self.writer(path, units: plain)
            #expect(try build(other, plain) == [])
            let copied = try TestSupport.bytes(
                of: folder(other, in: path) + "/plain-\(plain[0].digest.prefix(8)).tar")
            #expect(Digest.of(copied) == record.files[0].sha256)
        }
    }

    @Test func failedUnitsCanBeTriedAgain() throws {
        try withFolder { folder in
            let units = [
                WorkUnit(name: "train-00000", items: ["a", "b"]),
                WorkUnit(name: "train-00001", items: ["c"]),
            ]
            let first = try writer(folder, units: units)
            try first.build(units[0]) { key in
                if key == "b" { throw Broken() }
                return member(key)
            }
            try first.build(units[1], make: member)
            try first.finish()
            let dataset = DatasetDirectory(folder)
            try JSONLines.write([Source](), to: dataset.sourcesFile)
            try dataset.forgetFailedUnits()
            let second = try writer(folder, units: units)
            #expect(second.pending() == [units[0]])
            #expect(try build(second, second.pending()) == ["a", "b"])
            try second.finish()
            #expect(try dataset.collectFailures() == [])
        }
    }

    @Test func outputThatCannotBeWrittenStopsTheUnit() throws {
        try withFolder { folder in
            let units = [WorkUnit(name: "train-00000", items: ["a", "b"])]
            let writer = try writer(folder, units: units)
            var tried: [String] = []
            let error = #expect(throws: LoopyError.self) {
                try writer.build(units[0]) { key in
                    tried.append(key)
                    throw LoopyError(.output, "disk full")
                }
            }
            #expect(error?.category == .output)
            #expect(tried == ["a"])
            #expect(writer.pending() == units)
        }
    }

    @Test func theCatalogueSaysWhatMadeAColumn() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            let writer = try ColumnWriter(
                "speech", suffix: ".npy",
                ColumnIdentity(version: 1, configuration: [String: Int]()),
                settings: ["encoder": "log-mel"], dataset: dataset, units: [])
            try writer.finish()
            let stored = try Catalogue.read(dataset).column("speech").settings
            #expect(stored == .object(["encoder": .string("log-mel")]))
            // What is recorded changes nothing that is computed.
            let silent = try ColumnWriter(
                "speech", suffix: ".npy",
                ColumnIdentity(version: 1, configuration: [String: Int]()),
                settings: [String: Int](), dataset: dataset, units: [])
            #expect(silent.fingerprint == writer.fingerprint)

            // As it was written before there were settings.
            let text = try Data(TestSupport.bytes(of: dataset.catalogueFile))
            var document = try #require(
                JSONSerialization.jsonObject(with: text) as? [String: Any])
            var columns = try #require(document["columns"] as? [String: [String: Any]])
            columns["speech"]?["settings"] = nil
            document["columns"] = columns
            try JSONSerialization.data(withJSONObject: document)
                .write(to: URL(fileURLWithPath: dataset.catalogueFile))
            #expect(try Catalogue.read(dataset).column("speech").settings == .object([:]))
        }
    }

    @Test func namesTheStageOfAMissingColumn() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            for (column, stage) in [("audio", "loopy-crop"), ("motion", "loopy-extract motion")] {
                let error = #expect(throws: LoopyError.self) {
                    try ColumnReader(column, in: dataset, catalogue: .read(dataset))
                }
                #expect(error?.category == .missing)
                #expect(error?.message.contains("run \(stage) first") == true)
            }
        }
    }
}
