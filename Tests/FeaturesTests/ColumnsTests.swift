import Dataset
import Errors
import Features
import Foundation
import Media
import Perception
import Storage
import Testing

/// The columns of a dataset whose one clip is made of a sample video.
@Suite struct ColumnsTests {
    private static let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent(".deps/samples/single_face.mp4").path
    private static let frames = 50

    /// Two seconds of a face as `loopy-crop` would cut it.
    private static let clip = Result<[UInt8], any Error> {
        let reader = try VideoReader(path: sample, range: 0..<frames, threads: 1)
        var encoding = VideoEncoding()
        encoding.size = 256
        encoding.preset = "ultrafast"
        let encoder = ClipEncoder(
            crop: CropSquare(x: 140, y: 40, side: 320), encoding: encoding)
        while let next = try reader.next() { try encoder.add(next.frame) }
        return try encoder.finish()
    }

    private func withDataset<Value>(
        clip: [UInt8]? = nil, _ body: (DatasetDirectory) throws -> Value
    ) throws -> Value {
        let path = FileManager.default.temporaryDirectory.path + "/loopy-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        let dataset = DatasetDirectory(path)
        try JSONLines.write([Source](), to: dataset.sourcesFile)
        var decision = Decision(
            source: "s", path: "/s.mp4", start: 0, end: Self.frames, decision: .accept)
        decision.key = "0123456789abcdef"
        decision.shard = "train-00000"
        try JSONLines.write([decision], to: dataset.selectionFile)
        let units = ClipPlan([decision]).units
        let writer = try ColumnWriter(
            "video", suffix: ".mp4",
            ColumnIdentity(version: 1, configuration: [String: Int](), facts: ["side": 256]),
            settings: [String: Int](), dataset: dataset, units: units)
        let bytes = try clip ?? Self.clip.get()
        try writer.build(units[0]) { _ in ColumnMember(bytes: bytes, frames: Self.frames) }
        try writer.finish()
        return try body(dataset)
    }

    private func extract(_ column: String, _ dataset: DatasetDirectory) throws -> [Failure] {
        try extract(FeatureColumns.named(column), dataset)
    }

    private func extract<Column: FeatureColumn>(
        _ type: Column.Type, _ dataset: DatasetDirectory
    ) throws -> [Failure] {
        let stage = try ExtractStage<Column>(dataset, settings: Column.Settings(), threads: 1)
        for unit in stage.pending() { try stage.build(unit) }
        #expect(stage.pending() == [])
        return try stage.finish()
    }

    private func array(_ column: String, _ dataset: DatasetDirectory) throws -> NumPyArray {
        let reader = try ColumnReader(column, in: dataset, catalogue: .read(dataset))
        let units = ClipPlan(try dataset.selection()).units
        let name = reader.memberName("0123456789abcdef")
        return try NumPyArray(decoding: reader.archive(units[0]).read(name), name: name)
    }

    @Test func columnsCoverEveryFrame() throws {
        try withDataset { dataset in
            #expect(try extract("keypoints", dataset) == [])
            let keypoints = try array("keypoints", dataset)
            #expect(keypoints.shape == [Self.frames, 68, 3])
            for start in stride(from: 0, to: keypoints.values.count, by: 3) {
                #expect((0...256).contains(keypoints.values[start]))
                #expect((0...256).contains(keypoints.values[start + 1]))
                #expect(keypoints.values[start + 2] > 0.5)
            }
            #expect(try extract("motion", dataset) == [])
            let motion = try array("motion", dataset)
            #expect(motion.shape == [Self.frames - 11, 2])
            #expect(motion == (try MotionVariance.column(keypoints, side: 256)))
            #expect(motion.values.contains { $0 > 0 })
        }
    }

    @Test func aClipWithoutAFaceIsAFailureOfTheColumn() throws {
        let reader = try VideoReader(path: Self.sample, range: 0..<20, threads: 1)
        var encoding = VideoEncoding()
        encoding.size = 64
        // A corner of the picture, where the wall is.
        let encoder = ClipEncoder(crop: CropSquare(x: 0, y: 0, side: 64), encoding: encoding)
        while let next = try reader.next() { try encoder.add(next.frame) }
        try withDataset(clip: encoder.finish()) { dataset in
            let failures = try extract("keypoints", dataset)
            #expect(failures.map(\.key) == ["0123456789abcdef"])
            #expect(failures.first?.error.contains("no face") == true)
            // What depends on it goes on without the clip, and does not fail once more.
            #expect(try extract("motion", dataset) == [])
        }
    }

    @Test func unknownColumnsSuggestTheNearest() throws {
        try withDataset { dataset in
            let error = #expect(throws: LoopyError.self) { try extract("keypoint", dataset) }
            #expect(error?.category == .configuration)
            #expect(error?.message.contains("did you mean 'keypoints'?") == true)
        }
    }

    @Test func verificationNamesWhatIsWrong() throws {
        try withDataset { dataset in
            _ = try extract("keypoints", dataset)
            _ = try extract("motion", dataset)
            var settings = PackSettings()
            settings.columns = ["video", "keypoints", "motion"]
            let packer = try Packer(dataset, settings: settings)
            for unit in packer.pending() {
                try packer.build(unit)
            }
            #expect(try packer.finish() == [])
            let sound = try Verification(dataset, sources: true)
            #expect(sound.problems == [])
            #expect(sound.clips == 1)
            #expect(sound.files == 4)

            // One bit of one value.
            let shard = dataset.shardsFolder + "/train-00000.tar"
            let member = try TarReader(shard).member("0123456789abcdef.motion.npy")
            let file = try #require(FileHandle(forUpdatingAtPath: shard))
            try file.seek(toOffset: UInt64(member.bytes.upperBound - 1))
            try file.write(contentsOf: [0x7f])
            try file.close()
            let damaged = try Verification(dataset, sources: false)
            #expect(damaged.problems.count == 1)
            #expect(damaged.problems.first?.hasPrefix(shard + ": its bytes changed") == true)
            unlink(shard)
            #expect(try Verification(dataset, sources: false).problems.count >= 1)
        }
    }

    @Test func verificationNeedsADataset() {
        let error = #expect(throws: LoopyError.self) {
            try Verification(DatasetDirectory("/nowhere"), sources: false)
        }
        #expect(error?.category == .missing)
    }
}
