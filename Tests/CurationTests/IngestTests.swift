import Curation
import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct IngestTests {
    /// A folder with videos that differ, by name.
    private func makeVideos(_ folder: String, _ names: [String]) throws {
        try FileManager.default.createDirectory(
            atPath: folder + "/videos/deep", withIntermediateDirectories: true)
        for (index, name) in names.enumerated() {
            try makeVideo(
                folder + "/videos/" + name, source: "testsrc=s=64x64:r=25:decimals=\(index % 4)",
                seconds: 0.2 + 0.04 * Double(index))
        }
    }

    private func ingest(
        _ folder: String, _ inputs: [String]? = nil,
        _ change: (inout IngestSettings) -> Void = { _ in }
    ) throws -> Ingest.Report {
        var settings = IngestSettings()
        change(&settings)
        return try Ingest(DatasetDirectory(folder + "/dataset"), settings: settings)
            .run(inputs ?? [folder + "/videos"])
    }

    private func names(_ report: Ingest.Report) -> [String] {
        report.sources.map { ($0.path as NSString).lastPathComponent }
    }

    private func copy(_ from: String, _ to: String) throws {
        try FileManager.default.copyItem(atPath: from, toPath: to)
    }

    @Test func foldersAreSearchedToTheBottom() throws {
        try withFolder { folder in
            try makeVideos(folder, ["b.mp4", "deep/a.MKV", ".hidden.mp4"])
            try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/videos/notes.txt"))
            let report = try ingest(folder)
            #expect(names(report) == ["b.mp4", "a.MKV"])
            #expect(report.ignored == 1)
            let source = report.sources[0]
            #expect(source.digest == (try Digest.ofFile(source.path)))
            #expect(source.probe?.video.gridFrames == 5)
            #expect(source.probe?.audio == nil)
            #expect(source.reason == nil)
            let stored = try DatasetDirectory(folder + "/dataset").sources()
            #expect(stored == report.sources)
            // A file and its folder together are one source; a file may be called anything.
            let again = try ingest(
                folder, [folder + "/videos/b.mp4", folder + "/videos", folder + "/videos/./b.mp4"])
            #expect(names(again) == ["b.mp4", "a.MKV"])
        }
    }

    @Test func copiesAreOneSource() throws {
        try withFolder { folder in
            try makeVideos(folder, ["b.mp4"])
            try copy(folder + "/videos/b.mp4", folder + "/videos/deep/c.mp4")
            _ = try ingest(folder)
            // A copy whose name comes first does not take the source's place.
            try copy(folder + "/videos/b.mp4", folder + "/videos/a.mp4")
            let report = try ingest(folder)
            #expect(names(report) == ["b.mp4"])
            #expect(
                report.duplicates.map { ($0.path as NSString).lastPathComponent }.sorted()
                    == ["a.mp4", "c.mp4"])
            #expect(report.duplicates.allSatisfy { $0.original.hasSuffix("/b.mp4") })
        }
    }

    @Test func newSourcesComeLast() throws {
        try withFolder { folder in
            try makeVideos(folder, ["d.mp4", "m.mp4"])
            #expect(names(try ingest(folder)) == ["d.mp4", "m.mp4"])
            try makeVideo(folder + "/videos/a.mp4", seconds: 0.6)
            try makeVideo(folder + "/videos/f.mp4", seconds: 0.8)
            #expect(names(try ingest(folder)) == ["d.mp4", "m.mp4", "a.mp4", "f.mp4"])
            #expect(names(try ingest(folder)) == ["d.mp4", "m.mp4", "a.mp4", "f.mp4"])
        }
    }

    /// Told by size and time: a file that is changed without either is not read, one whose time
    /// changes is.
    @Test func unchangedFilesAreNotReadAgain() throws {
        try withFolder { folder in
            try makeVideos(folder, ["a.mp4"])
            let path = folder + "/videos/a.mp4"
            let before = try ingest(folder).sources[0]
            var information = stat()
            stat(path, &information)
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seek(toOffset: UInt64(before.bytes - 3))
            try file.write(contentsOf: [7, 7, 7])
            try file.close()
            var times = [information.st_atim, information.st_mtim]
            utimensat(AT_FDCWD, path, &times, 0)
            #expect(try ingest(folder).sources == [before])
            times[1].tv_sec += 1
            utimensat(AT_FDCWD, path, &times, 0)
            let after = try ingest(folder).sources[0]
            #expect(after.digest != before.digest)
            #expect(after.digest == (try Digest.ofFile(path)))
        }
    }

    @Test func otherLimitsHaveFilesProbedAnew() throws {
        try withFolder { folder in
            try makeVideos(folder, ["a.mp4"])
            let before = try ingest(folder).sources[0]
            #expect(before.limits == nil)
            let refused = try ingest(folder) { $0.limits.maximumDuration = 0.1 }.sources[0]
            #expect(refused.reason == "too-large" && refused.probe == nil)
            let longer = try ingest(folder) { $0.limits.probeSeconds = 20 }.sources[0]
            #expect(longer.limits?.probeSeconds == 20)
            #expect(longer.probe == before.probe && longer.digest == before.digest)
            #expect(try ingest(folder).sources == [before])
        }
    }

    @Test func whatCannotBeUsedIsListedWithTheReason() throws {
        try withFolder { folder in
            try makeVideos(folder, ["good.mp4"])
            let videos = folder + "/videos/"
            try Data("not a video".utf8).write(to: URL(fileURLWithPath: videos + "text.mp4"))
            try Data().write(to: URL(fileURLWithPath: videos + "empty.mp4"))
            try FileManager.default.createSymbolicLink(
                atPath: videos + "gone.mp4", withDestinationPath: "/nowhere.mp4")
            let report = try ingest(folder)
            #expect(names(report) == ["empty.mp4", "gone.mp4", "good.mp4", "text.mp4"])
            for source in report.sources where !source.path.hasSuffix("good.mp4") {
                #expect(source.probe == nil)
                #expect(source.reason != nil)
                #expect(source.error?.isEmpty == false)
            }
            #expect(Set(report.sources.map(\.digest)).count == 4)
            // Mended, it becomes a source; its place stays.
            try FileManager.default.removeItem(atPath: videos + "text.mp4")
            try makeVideo(videos + "text.mp4", seconds: 1)
            let mended = try ingest(folder)
            #expect(names(mended) == names(report))
            #expect(mended.sources[3].probe != nil && mended.sources[3].reason == nil)
        }
    }

    /// Names are bytes: in Latin-1 here, and in a folder whose name is none either.
    @Test func namesThatAreNotUTF8AreSources() throws {
        try withFolder { folder in
            try makeVideos(folder, ["a.mp4"])
            let deep = RecordedPath(folder + "/videos/deep").appending([0xE9])
            #expect(deep.withCString { mkdir($0, 0o755) } == 0)
            let path = deep.appending([0xFF] + Array(".mp4".utf8))
            #expect(path.withCString { rename(folder + "/videos/a.mp4", $0) } == 0)
            let report = try ingest(folder)
            #expect(report.sources.map(\.path) == [path.text])
            #expect(report.sources.first?.reason == nil)
            let digest = try path.withReadablePath(Digest.ofFile)
            #expect(report.sources.first?.digest == digest)
            #expect(try ingest(folder, [path.text]).sources == report.sources)
        }
    }

    @Test func theEndOfTheSoundIsRecorded() throws {
        try withFolder { folder in
            let path = folder + "/short.mp4"
            let made = try run(
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=6", "-f",
                "lavfi", "-i", "sine=d=4.5", "-pix_fmt", "yuv420p", path)
            try #require(made.status == 0)
            let end = try #require(ingest(folder, [path]).sources[0].probe?.audio?.end)
            #expect(abs(end - 4.5) < 0.05)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func linksThatLeadInACircleAreNotFollowed() throws {
        try withFolder { folder in
            try makeVideos(folder, ["a.mp4"])
            let manager = FileManager.default
            try manager.createSymbolicLink(
                atPath: folder + "/videos/deep/up", withDestinationPath: folder + "/videos")
            try manager.createSymbolicLink(
                atPath: folder + "/videos/self", withDestinationPath: folder + "/videos/self")
            #expect(names(try ingest(folder)) == ["a.mp4"])
            // The input itself may be a link.
            try manager.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: folder + "/videos")
            #expect(names(try ingest(folder, [folder + "/link"])) == ["a.mp4"])
        }
    }

    @Test func anInputThatIsNotThereStopsIt() throws {
        try withFolder { folder in
            let error = #expect(throws: LoopyError.self) {
                try ingest(folder, [folder + "/nothing"])
            }
            #expect(error?.category == .missing)
            #expect(error?.message.contains(folder + "/nothing") == true)
        }
    }

    /// HDTF's files, of one subset.
    private func annotate(_ folder: String, times: String) throws -> IngestSettings {
        let names = ["Ann", "Bob", "Cid"]
        let texts = [
            "video_url": names.map { "\($0) u\n" }, "annotion_time": [times],
            "crop_wh": names.map { "\($0)_0.mp4 180 360 90 360\n" },
            "resolution": names.map { "\($0).mp4 720\n" },
        ]
        for (kind, rows) in texts {
            let path = folder + "/WDA_\(kind).txt"
            try Data(rows.joined().utf8).write(to: URL(fileURLWithPath: path))
        }
        var settings = IngestSettings()
        settings.format = .hdtf
        settings.annotations = folder
        return settings
    }

    @Test func annotatedVideosComeWithTheirSpans() throws {
        try withFolder { folder in
            try makeVideos(folder, ["deep/Ann.MOV", "Bob.mp4", "other.mp4"])
            let settings = try annotate(
                folder,
                times: "Ann.mp4 00:00-00:01\nBob.mp4 00:10-00:20 00:00-00:01\n"
                    + "Cid.mp4 00:00-00:01\n")
            let dataset = DatasetDirectory(folder + "/dataset")
            let report = try Ingest(dataset, settings: settings).run([folder + "/videos"])
            #expect(names(report) == ["Bob.mp4", "Ann.MOV"])
            #expect(report.sources.map(\.identity) == ["Bob", "Ann"])
            #expect(report.sources.map { $0.spans?.map(\.name) } == [["Bob_1"], ["Ann_0"]])
            // 720 lines are listed, 64 are there.
            #expect(report.sources[1].spans?.first?.box == [16, 8, 48, 40])
            let imported = try #require(report.imported)
            #expect(imported.listed.videos == 3 && imported.listed.spans == 4)
            #expect(imported.imported.videos == 2 && imported.imported.spans == 2)
            #expect(imported.imported.crops == 1)
            #expect(imported.missing == ["Cid"])
            #expect(imported.unlisted == [folder + "/videos/other.mp4"])
            let late = imported.problems.filter { $0.file.hasSuffix("/Bob.mp4") }
            #expect(late.map { $0.problem.prefix(26) } == ["Bob_0 begins at 10.0 s, an"])
            #expect(try dataset.sources() == report.sources)
            let stored = try JSONLines.readDocument(
                ImportReport.self, from: dataset.ingestReportFile)
            #expect(stored == imported)
            // Again: the same bytes. As a folder: as if there had been no annotations.
            let before = try Digest.ofFile(dataset.sourcesFile)
            _ = try Ingest(dataset, settings: settings).run([folder + "/videos"])
            #expect(try Digest.ofFile(dataset.sourcesFile) == before)
            let plain = try ingest(folder)
            #expect(plain.sources.count == 3)
            #expect(plain.sources.allSatisfy { $0.spans == nil && $0.identity == nil })
            #expect(!FileManager.default.fileExists(atPath: dataset.ingestReportFile))
        }
    }

    @Test func aFileWithNoneOfItsSpansIsNoSource() throws {
        try withFolder { folder in
            try makeVideos(folder, ["Ann.mp4"])
            let settings = try annotate(folder, times: "Ann.mp4 01:00-02:00\n")
            let report = try Ingest(DatasetDirectory(folder + "/dataset"), settings: settings)
                .run([folder + "/videos"])
            #expect(report.sources == [])
            #expect(report.imported?.missing == [])
            #expect(report.imported?.problems.last?.problem.contains("another video?") == true)
        }
    }

    /// Files of former versions have no spans, and none are written for them.
    @Test func sourcesWithoutAnnotationsAreWrittenAsTheyAlwaysWere() throws {
        var source = Source(digest: "d", path: "/a.mp4", bytes: 1, modified: 2)
        source.reason = "not-media"
        let line = #"{"bytes":1,"digest":"d","modified":2,"path":"/a.mp4","reason":"not-media"}"#
        #expect(String(decoding: try JSONLines.line(source), as: UTF8.self) == line + "\n")
        #expect(try JSONDecoder().decode(Source.self, from: Data(line.utf8)) == source)
    }
}
