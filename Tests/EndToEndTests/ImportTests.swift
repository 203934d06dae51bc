import Dataset
import Foundation
import Testing

/// Public datasets' annotations, through the executables.
@Suite(.serialized)
struct ImportTests {
    private func makeVideo(_ path: String, seconds: Double) throws {
        try Workbench.ffmpeg(
            "-f", "lavfi", "-i", "testsrc=s=64x36:r=25", "-t", "\(seconds)",
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path)
    }

    private func writeHDTF(_ bench: Workbench, _ tables: [String: String]) throws {
        try FileManager.default.createDirectory(
            atPath: bench.folder + "/hdtf", withIntermediateDirectories: true)
        for (name, text) in tables { try bench.write(text, to: "hdtf/\(name).txt") }
    }

    /// Two men stand beside each other, and the annotation means the one who speaks, on the right.
    @Test func hdtfIsImportedAndOnlyItsFacesAndSpansAreUsed() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4", as: "WDA_Ann0.mp4")
        try makeVideo(bench.videos + "/Stranger.mp4", seconds: 1)
        try writeHDTF(
            bench,
            [
                "WDA_video_url": "\u{feff}Ann0 https://www.youtube.com/watch?v=aaaaaaaaaaa\r\n"
                    + "Bob https://www.youtube.com/watch?v=bbbbbbbbbbb",
                "WDA_annotion_time": "Ann0.mp4 00:01-00:06 01:40-01:50 \r\nBob.mp4 75:00-75:10",
                "WDA_crop_wh": "Ann0_0.mp4 480 480 0 720\r\nBob_0.mp4 0 776 0 776",
                "WDA_resolution": "Ann0.mp4 720\r\nBob.mp4 720",
            ])
        let dataset = bench.dataset("d")
        let ingest = try bench.loopy(
            "ingest", "--format", "hdtf", bench.folder + "/hdtf", "--videos", bench.videos,
            "--dataset", dataset)
        #expect(ingest.status == 0, "\(ingest.errors)")
        #expect(ingest.output.contains("listed    2 videos, 3 intervals, 2 crops\n"))
        #expect(ingest.output.contains("usable    2 videos, 3 intervals, 1 crops\n"))
        #expect(ingest.output.contains("imported  1 videos, 1 intervals, 1 crops\n"))
        #expect(ingest.output.contains("1 listed and not on disk: Bob\n"))
        #expect(ingest.output.contains("1 on disk and not listed: \(bench.videos)/Stranger.mp4\n"))
        #expect(ingest.errors.contains("WDA_crop_wh.txt, line 2: Bob_0 reaches from 0 to 776"))
        #expect(ingest.errors.contains("WDA_Ann0.mp4: Ann0_1 begins at 100.0 s"))
        let source = try #require(DatasetDirectory(dataset).sources().first)
        #expect(source.identity == "Ann")
        #expect(source.spans?.first?.box == [160, 0, 320, 240])

        // The same by a pipeline, whose --input are the videos.
        let second = bench.dataset("e")
        let run = try bench.loopy(
            "run", try bench.pipeline(), "--input", bench.videos, "--dataset", second, "--set",
            "ingest.format=hdtf", "--set", "ingest.annotations=\(bench.folder)/hdtf")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try DatasetDirectory(second).sources() == [source])
        let decisions = try DatasetDirectory(second).selection()
        let accepted = decisions.filter { $0.decision == .accept }
        #expect(!accepted.isEmpty)
        #expect(accepted.allSatisfy { $0.annotation == "Ann0_0" && $0.identity == "Ann" })
        #expect(accepted.allSatisfy { $0.crop?.x ?? 0 > 100 })
        #expect(decisions.allSatisfy { $0.start >= 1 && $0.end <= 6 })
        #expect(decisions.contains { $0.rule == "other-face" })
        #expect(try bench.loopy("verify", second, "--sources").status == 0)
    }

    @Test func celebVHQsClipsAreToldApartByTheirBoxes() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4", as: "A speech [-a_b+aaaaaa].mp4")
        // Two faces of one time.
        try bench.write(
            """
            {"meta_info": {"appearance_mapping": ["male"], "action_mapping": ["talk"]},
             "clips": {
              "-a_b+aaaaaa_0": {"ytb_id": "-a_b+aaaaaa",
                "duration": {"start_sec": 1.02, "end_sec": 6.1},
                "bbox": {"top": 0, "bottom": 1, "left": 0, "right": 0.45},
                "attributes": {"appearance": [1], "action": [0],
                               "emotion": {"sep_flag": false, "labels": "neutral"}}},
              "-a_b+aaaaaa_1": {"ytb_id": "-a_b+aaaaaa",
                "duration": {"start_sec": 1.02, "end_sec": 6.1},
                "bbox": {"top": 0, "bottom": 1, "left": 0.55, "right": 1},
                "attributes": {"appearance": [1], "action": [1],
                               "emotion": {"sep_flag": false, "labels": "happy"}}},
              "gone_0": {"ytb_id": "gone", "duration": {"start_sec": 0, "end_sec": 3},
                "bbox": {"top": 0, "bottom": 1, "left": 0, "right": 1}}}}
            """, to: "info.json")
        let dataset = bench.dataset("d")
        let pipeline = try bench.pipeline()
        let ingest = try bench.loopy(
            "ingest", "--format", "celebv-hq", bench.folder + "/info.json", "--videos",
            bench.videos, "--dataset", dataset)
        #expect(ingest.status == 0, "\(ingest.errors)")
        #expect(ingest.output.contains("listed    2 videos, 3 intervals, 3 crops\n"))
        #expect(ingest.output.contains("1 listed and not on disk: gone\n"))
        for stage in ["measure", "select"] {
            let result = try bench.loopy(stage, "--dataset", dataset, "--config", pipeline)
            #expect(result.status == 0, "\(result.errors)")
        }
        // Each clip has one face that is meant, and the other clip's, which is not.
        let decisions = try DatasetDirectory(dataset).selection()
        #expect(decisions.allSatisfy { $0.start >= 1.04 && $0.end <= 6.08 })
        func faces(_ annotation: String, isMeant: Bool) -> Set<Int?> {
            let own = decisions.filter { $0.annotation == annotation }
            return Set(own.filter { ($0.rule != "other-face") == isMeant }.map(\.face))
        }
        let left = faces("-a_b+aaaaaa_0", isMeant: true)
        let right = faces("-a_b+aaaaaa_1", isMeant: true)
        #expect(left.count == 1 && right.count == 1 && left != right)
        #expect(faces("-a_b+aaaaaa_0", isMeant: false) == right)
        #expect(faces("-a_b+aaaaaa_1", isMeant: false) == left)
        let accepted = decisions.filter { $0.decision == .accept }
        #expect(!accepted.isEmpty)
        for clip in accepted where clip.annotation == "-a_b+aaaaaa_1" {
            #expect(
                clip.attributes
                    == ["appearance": "male", "action": "talk", "emotion": "happy"])
        }
    }

    @Test func ravdessIsKnownByItsNames() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try FileManager.default.createDirectory(
            atPath: bench.videos + "/Actor_05", withIntermediateDirectories: true)
        let names = ["01-01-03-02-01-01-05", "02-01-03-02-01-01-05", "01-02-05-01-02-02-06", "x"]
        for (number, name) in names.enumerated() {
            try makeVideo("\(bench.videos)/Actor_05/\(name).mp4", seconds: 1 + 0.2 * Double(number))
        }
        try bench.write("", to: "videos/03-01-03-02-01-01-05.wav")
        let dataset = bench.dataset("d")
        let ingest = try bench.loopy(
            "ingest", "--format", "ravdess", "--videos", bench.videos, "--dataset", dataset)
        #expect(ingest.status == 0, "\(ingest.errors)")
        #expect(ingest.output.contains("imported  2 videos, 2 intervals, 0 crops\n"))
        #expect(ingest.output.contains("1 on disk and not listed: "))
        #expect(ingest.output.contains("1 skipped, modality 02"))
        #expect(ingest.output.contains("1 skipped, modality 03"))
        let sources = try DatasetDirectory(dataset).sources()
        #expect(sources.map(\.identity) == ["actor-05", "actor-06"])
        #expect(
            sources.map { $0.spans?.first?.attributes?["emotion"] } == ["happy", "angry"])
        for stage in ["measure", "select"] {
            #expect(try bench.loopy(stage, "--dataset", dataset).status == 0)
        }
        let decisions = try DatasetDirectory(dataset).selection()
        #expect(decisions.map(\.annotation) == [names[0], names[2]])
        #expect(decisions.map(\.rule) == ["no-face", "no-face"])
    }

    @Test func whatIsListedIsCountedWithNoVideoOnDisk() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try writeHDTF(
            bench,
            [
                "RD_video_url": "Radio1 u\nRadio2 u", "RD_annotion_time": "Radio1.mp4 00:01-00:09",
                "RD_crop_wh": "", "RD_resolution": "Radio1.mp4 720",
            ])
        let dataset = bench.dataset("d")
        let annotations = bench.folder + "/hdtf"
        let ingest = try bench.loopy(
            "ingest", "--format", "hdtf", annotations, "--videos", bench.videos, "--dataset",
            dataset)
        #expect(ingest.status == 1)
        #expect(ingest.output.contains("listed    2 videos, 1 intervals, 0 crops\n"))
        #expect(ingest.output.contains("no annotated span is on disk"))
        #expect(
            ingest.errors.contains("RD_video_url.txt, line 2: Radio2 has no interval"))
        #expect(
            try String(contentsOfFile: dataset + "/ingest-report.json", encoding: .utf8)
                .contains("\"Radio1\""))

        for wrong in [
            ["--format", "hdtf", "--videos", bench.videos],
            ["--format", "ravdess", annotations, "--videos", bench.videos],
            [annotations, "--videos", bench.videos], ["--format", "hdft", bench.videos], [],
        ] {
            let result = try Workbench.run(
                Workbench.executables + "/loopy", ["ingest"] + wrong + ["--dataset", dataset])
            #expect(result.status == 64, "\(wrong): \(result.errors)")
        }
        let empty = try bench.loopy(
            "ingest", "--format", "hdtf", bench.videos, "--videos", bench.videos, "--dataset",
            dataset)
        #expect(empty.status == 65)
        #expect(empty.errors.contains("holds none of HDTF's annotations"))
    }
}
