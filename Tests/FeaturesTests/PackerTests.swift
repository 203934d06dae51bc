import Dataset
import Errors
import Features
import Foundation
import Media
import Storage
import TestSupport
import Testing

@Suite struct ClipPlanTests {
    private func clip(_ key: String?, _ shard: String?) -> Decision {
        var decision = Decision(
            source: "s", path: "/s.mp4", start: 0, end: 100,
            decision: key == nil ? .reject : .accept)
        decision.key = key
        decision.shard = shard
        return decision
    }

    @Test func unitsAreShardsInTheirOrder() {
        let plan = ClipPlan([
            clip("a", "train-00000"), clip(nil, nil), clip("b", "val-00000"),
            clip("c", "train-00000"), clip("d", "train-00001"),
        ])
        #expect(plan.shards.map(\.name) == ["train-00000", "val-00000", "train-00001"])
        #expect(
            plan.units.map(\.name) == ["train-00000-000", "val-00000-000", "train-00001-000"])
        #expect(plan.units.map(\.items) == [["a", "c"], ["b"], ["d"]])
        #expect(Set(plan.clips.keys) == ["a", "b", "c", "d"])
    }

    @Test func choosesUnitsByName() throws {
        let units = [WorkUnit(name: "00000", items: []), WorkUnit(name: "00001", items: [])]
        #expect(try ClipPlan.choose([], from: units) == units)
        #expect(try ClipPlan.choose(["00001"], from: units) == [units[1]])
        let error = #expect(throws: LoopyError.self) {
            try ClipPlan.choose(["00002"], from: units)
        }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains("'00002': there are 2 (00000 to 00001)") == true)
    }

    @Test func keysFollowSourceSpanCropAndDelay() {
        func key(
            _ source: String = "ab", _ frames: Range<Int> = 5..<80, x: Int = 10, delay: Int? = nil
        ) -> String {
            let crop = CropSquare(x: x, y: 20, side: 300)
            return Decision.key(source: source, frames: frames, crop: crop, audioDelay: delay)
        }
        #expect(key() == Digest.of("ab 5 80 10 20 300").prefix(16))
        #expect(key(delay: 0) == key())
        let keys: Set = [
            key(), key("ac"), key("ab", 6..<80), key("ab", 5..<81), key(x: 12), key(delay: 2),
            key(delay: -2),
        ]
        #expect(keys.count == 7)
    }

    /// Spans are stored in seconds; every frame number comes back.
    @Test func framesSurviveBeingSeconds() throws {
        for start in stride(from: 0, to: 2_000_000, by: 1237) {
            let decision = Decision(
                source: "s", path: "p", start: start, end: start + 76, decision: .accept)
            let line = try JSONLines.line(decision)
            let read = try JSONDecoder().decode(Decision.self, from: Data(line))
            #expect(read.frames == start..<(start + 76))
        }
    }
}

@Suite struct PackerTests {
    private static let frames = ["a": 30, "b": 40, "c": 50]

    /// A dataset of three clips in two shards, whose columns are made by `member`.
    private func makeDataset(
        _ folder: String, columns: [String] = ["video", "keypoints"],
        member: (_ column: String, _ key: String) throws -> ColumnMember = Self.member
    ) throws -> DatasetDirectory {
        let dataset = DatasetDirectory(folder)
        try JSONLines.write([Source](), to: dataset.sourcesFile)
        let shards = ["a": "train-00000", "b": "train-00000", "c": "val-00000"]
        let selection = ["b", "a", "c"].map { key in
            var decision = Decision(
                source: "5".padding(toLength: 64, withPad: "5", startingAt: 0),
                path: "/videos/talk.mp4", start: 10, end: 10 + Self.frames[key]!,  // a, b or c
                decision: .accept)
            decision.key = key
            decision.shard = shards[key]
            decision.crop = CropSquare(x: 0, y: 2, side: 200)
            return decision
        }
        try JSONLines.write(selection, to: dataset.selectionFile)
        let plan = ClipPlan(selection)
        for column in columns {
            let writer = try ColumnWriter(
                column, suffix: column == "video" ? ".mp4" : ".npy",
                ColumnIdentity(version: 1, configuration: [String: Int]()),
                settings: [String: Int](), dataset: dataset, units: plan.units)
            for unit in plan.units {
                try writer.build(unit) { try member(column, $0) }
            }
            try writer.finish()
        }
        return dataset
    }

    private static func member(_ column: String, _ key: String) -> ColumnMember {
        ColumnMember(bytes: Array("\(column) of \(key)".utf8), frames: frames[key] ?? 0)
    }

    private func pack(
        _ dataset: DatasetDirectory, columns: [String] = ["video", "keypoints"]
    ) throws -> [Failure] {
        var settings = PackSettings()
        settings.columns = columns
        let packer = try Packer(dataset, settings: settings)
        for unit in packer.pending() { try packer.build(unit) }
        return try packer.finish()
    }

    @Test func membersOfAClipStandSideBySide() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder)
            #expect(try pack(dataset) == [])
            let shard = try TarReader(dataset.shardsFolder + "/train-00000.tar")
            #expect(
                shard.members.map(\.name) == [
                    "b.mp4", "b.keypoints.npy", "b.json", "a.mp4", "a.keypoints.npy", "a.json",
                ])
            #expect(try shard.read("a.keypoints.npy") == Array("keypoints of a".utf8))
            let facts = try #require(
                JSONSerialization.jsonObject(with: Data(shard.read("a.json"))) as? [String: Any])
            #expect(facts["key"] as? String == "a")
            #expect(facts["frames"] as? Int == 30)
            #expect(facts["file"] as? String == "talk.mp4")
            #expect(facts["frames_per_second"] as? Int == 25)
            #expect(facts["sample_rate"] as? Int == 16000)
            #expect(facts["start"] as? Double == 0.4)
            #expect((facts["crop"] as? [String: Int]) == ["x": 0, "y": 2, "side": 200])
        }
    }

    @Test func membersFollowTheOrderOfTheSettings() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder)
            _ = try pack(dataset, columns: ["keypoints", "video"])
            let shard = try TarReader(dataset.shardsFolder + "/val-00000.tar")
            #expect(shard.members.map(\.name) == ["c.keypoints.npy", "c.mp4", "c.json"])
        }
    }

    @Test func theCatalogueCountsWhatIsPacked() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder)
            _ = try pack(dataset)
            let catalogue = try Catalogue.read(dataset)
            #expect(catalogue.shards.map(\.name) == ["train-00000.tar", "val-00000.tar"])
            #expect(catalogue.shards.map(\.split) == [.train, .val])
            #expect(catalogue.shards.map(\.clips) == [2, 1])
            #expect(catalogue.shards.map(\.frames) == [70, 50])
            #expect(catalogue.counts.clips == 3)
            #expect(catalogue.counts.frames == 120)
            #expect(abs(catalogue.counts.hours - 120 / 25.0 / 3600) < 1e-6)
            for shard in catalogue.shards {
                let path = dataset.shardsFolder + "/" + shard.name
                #expect(try Digest.ofFile(path) == shard.sha256)
                #expect(try bytes(of: path).count == shard.bytes)
            }
        }
    }

    @Test func aClipThatAColumnLacksIsLeftOut() throws {
        struct Unreadable: Error {}
        try withFolder { folder in
            let dataset = try makeDataset(folder) { column, key in
                if column == "keypoints", key == "b" { throw Unreadable() }
                return Self.member(column, key)
            }
            // The failure is the column's, and is said once.
            #expect(try pack(dataset) == [])
            let failures = try JSONLines.read(Failure.self, from: dataset.failuresFile)
            #expect(failures.map(\.stage) == ["keypoints"])
            let shard = try TarReader(dataset.shardsFolder + "/train-00000.tar")
            #expect(shard.members.map(\.name) == ["a.mp4", "a.keypoints.npy", "a.json"])
        }
    }

    @Test func differingLengthsAreAFailure() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder) { column, key in
                var member = Self.member(column, key)
                if column == "keypoints", key == "a" { member.frames -= 1 }
                return member
            }
            let failures = try pack(dataset)
            #expect(failures.map(\.key) == ["a"])
            #expect(failures.first?.reason == "lengths differ")
            #expect(failures.first?.path == "/videos/talk.mp4")
            #expect(failures.first?.error.contains("video 30, keypoints 29") == true)
            #expect(try Catalogue.read(dataset).counts.clips == 2)
        }
    }

    @Test func theSameColumnsGiveTheSameBytes() throws {
        let shards = try (0..<2).map { _ in
            try withFolder { folder in
                let dataset = try makeDataset(folder)
                _ = try pack(dataset)
                return try bytes(of: dataset.shardsFolder + "/train-00000.tar")
            }
        }
        #expect(shards[0] == shards[1])
    }

    /// Features of an hour are gigabytes.
    @Test func aLargeMemberIsNeverWholeInMemory() throws {
        try withFolder { folder in
            let pieces = 128
            _ = highestResidentBytes()
            let before = highestResidentBytes()
            let dataset = try makeDataset(folder) { column, key in
                guard column == "keypoints", key == "c" else { return Self.member(column, key) }
                return ColumnMember(byteCount: pieces << 20, frames: 50) { write in
                    for piece in 0..<pieces {
                        try write([UInt8](repeating: UInt8(piece), count: 1 << 20))
                    }
                }
            }
            #expect(try pack(dataset) == [])
            #expect(highestResidentBytes() - before < pieces << 18)
            let shard = try TarReader(dataset.shardsFolder + "/val-00000.tar")
            #expect(try shard.member("c.keypoints.npy").size == pieces << 20)
        }
    }

    @Test func packingAgainDoesNothingUntilAColumnChanges() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder)
            _ = try pack(dataset)
            var settings = PackSettings()
            settings.columns = ["video", "keypoints"]
            #expect(try Packer(dataset, settings: settings).pending() == [])
            settings.columns = ["video"]
            #expect(try Packer(dataset, settings: settings).pending().count == 2)
        }
    }

    @Test func namesTheColumnThatIsMissing() throws {
        try withFolder { folder in
            let dataset = try makeDataset(folder)
            let error = #expect(throws: LoopyError.self) {
                try pack(dataset, columns: ["video", "motion"])
            }
            #expect(error?.category == .missing)
            #expect(error?.message.contains("loopy-extract motion") == true)
        }
    }
}
