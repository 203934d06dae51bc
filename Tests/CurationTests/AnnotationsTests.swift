import Curation
import Errors
import Foundation
import Perception
import Testing

/// Small invented annotations with the traps of the published ones.
@Suite struct HDTFTests {
    /// The subset WDA with these rows; a name for each row, so that tests say what they change.
    private func read(
        urls: String = "", times: String = "", crops: String = "", heights: String = ""
    ) throws -> Annotations {
        try HDTF.annotations([
            "WDA_video_url.txt": urls, "WDA_annotion_time.txt": times, "WDA_crop_wh.txt": crops,
            "WDA_resolution.txt": heights,
        ])
    }

    /// Problems of the subset, without the two that are not there.
    private func problems(_ annotations: Annotations) -> [String] {
        annotations.problems.map(\.description).filter { !$0.contains("is not there; the subset") }
    }

    private func box(_ span: AnnotatedVideo.Span?, _ width: Int, _ height: Int) -> Box? {
        span?.box?.placed(width: width, height: height)
    }

    @Test func byteOrderMarksReturnsSpacesAndEmptyLinesAreNothing() throws {
        let annotations = try read(
            urls: "\u{feff}Ann https://www.youtube.com/watch?v=aaaaaaaaaaa&t=6s\r\n\r\n",
            times: "Ann.mp4 00:05-00:15 01:00-01:10 \r\n",
            crops: "Ann_0.mp4 100 300 20 300 \r\nAnn_1.mp4 110 300 0 300\r\n",
            heights: "Ann.mp4 720\r\n")
        #expect(problems(annotations) == [])
        let video = try #require(annotations.videos.first)
        #expect(annotations.videos.count == 1)
        #expect(video.name == "Ann")
        #expect(video.youTubeID == "aaaaaaaaaaa")
        #expect(video.fileNames == ["Ann", "WDA_Ann"])
        #expect(video.spans.map(\.name) == ["Ann_0", "Ann_1"])
        #expect(video.spans.map(\.start) == [5, 60])
        #expect(video.spans.map(\.end) == [15, 70])
        // x, w, y, h
        #expect(
            box(video.spans.first, 1280, 720) == Box(left: 100, top: 20, right: 400, bottom: 320))
        #expect(annotations.listed.videos == 1)
        #expect(annotations.listed.spans == 2)
        #expect(annotations.listed.crops == 2)
    }

    @Test func cropsAreScaledToTheFilesHeight() throws {
        let annotations = try read(
            urls: "Ann u", times: "Ann.mp4 00:05-00:15", crops: "Ann_0.mp4 100 300 20 300",
            heights: "Ann.mp4 1080")
        let span = annotations.videos.first?.spans.first
        #expect(box(span, 960, 540) == Box(left: 50, top: 10, right: 200, bottom: 160))
        // Another cut of the video, in which the crop is not.
        #expect(box(span, 150, 540) == nil)
    }

    @Test func oddHeightsAreNamedAndNoughtPlacesNothing() throws {
        let rows = ["A", "B", "C", "D", "E"]
        let annotations = try read(
            urls: rows.map { "\($0) u" }.joined(separator: "\n"),
            times: rows.map { "\($0).mp4 00:05-00:15" }.joined(separator: "\n"),
            crops: rows.map { "\($0)_0.mp4 0 200 0 200" }.joined(separator: "\n"),
            heights: "A.mp4 0\nB.mp4 360\nC.mp4 700\nD.mp4 714\n")
        #expect(annotations.videos.map { $0.spans.count } == [1, 1, 1, 1, 1])
        #expect(
            annotations.videos.map { $0.spans[0].box == nil } == [true, false, false, false, true])
        #expect(
            box(annotations.videos[3].spans[0], 1280, 1428)
                == Box(left: 0, top: 0, right: 400, bottom: 400))
        let found = problems(annotations)
        #expect(found.count == 5)
        #expect(found[0].hasPrefix("WDA_resolution.txt, line 1: A has the height '0'"))
        #expect(found[3].hasPrefix("WDA_resolution.txt, line 4: D has the height 714"))
        #expect(found[4].hasPrefix("WDA_resolution.txt: lacks E"))
        #expect(annotations.listed.crops == 5)
    }

    @Test func whatIsWithoutItsCounterpartIsNamed() throws {
        let annotations = try read(
            urls: "Ann u\nBob u\nCid u",
            times: "Ann.mp4 00:05-00:15 00:20-00:30\nDan.mp4 00:01-00:02\nCid.mp4",
            crops: "Ann_1.mp4 0 200 0 200\nAnn_2.mp4 0 200 0 200", heights: "Ann.mp4 720")
        #expect(annotations.videos.map(\.name) == ["Ann", "Bob", "Cid"])
        #expect(annotations.videos.map { $0.spans.count } == [2, 0, 0])
        #expect(annotations.videos[0].spans.map { $0.box != nil } == [false, true])
        let found = problems(annotations)
        #expect(found.count == 5)
        #expect(found.contains { $0.hasPrefix("WDA_annotion_time.txt, line 1: Ann_0") })
        #expect(found.contains { $0.hasPrefix("WDA_video_url.txt, line 2: Bob has no interval") })
        #expect(found.contains { $0.hasPrefix("WDA_video_url.txt, line 3: Cid has no interval") })
        #expect(found.contains { $0.hasPrefix("WDA_annotion_time.txt, line 2: Dan is not in") })
        #expect(found.contains { $0.hasPrefix("WDA_crop_wh.txt, line 2: Ann_2 has no interval") })
        #expect(annotations.listed.spans == 2)
        #expect(annotations.listed.crops == 2)
    }

    @Test func badIntervalsCostNothingButThemselves() throws {
        let times =
            "Ann.mp4 08:10-08:30 00:33-08:53 00:20-00:10 00:75-01:80 one-two 75:10-76:00 "
            + "1:20:00-1:21:30"
        let annotations = try read(
            urls: "Ann u", times: times,
            crops: (0...6).map { "Ann_\($0).mp4 \($0) 200 0 200" }.joined(separator: "\n"),
            heights: "Ann.mp4 720")
        let spans = try #require(annotations.videos.first?.spans)
        // The number of a crop is its interval's place in the row, bad ones counted.
        #expect(spans.map(\.name) == ["Ann_0", "Ann_5", "Ann_6"])
        #expect(spans.map(\.start) == [490, 4510, 4800])
        #expect(spans.map(\.end) == [510, 4560, 4890])
        #expect(spans.map { box($0, 1280, 720)?.left } == [0, 5, 6])
        let found = problems(annotations)
        #expect(found.count == 4)
        #expect(found[0].contains("Ann_1 (00:33-08:53) overlaps Ann_0"))
        #expect(found[1].contains("does not end after its start"))
        #expect(found[2].contains("is not written MM:SS-MM:SS"))
        #expect(annotations.listed.spans == 7)
    }

    @Test func ofRowsWithOneNameTheFirstCounts() throws {
        let annotations = try read(
            urls: "Ann u\nAnn v", times: "Ann.mp4 00:05-00:15\nAnn.mp4 00:40-00:50",
            crops: "Ann_0.mp4 0 200 0 200\nAnn_0.mp4 9 200 0 200", heights: "Ann.mp4 720")
        #expect(annotations.videos.count == 1)
        #expect(annotations.videos[0].spans.map(\.start) == [5])
        #expect(box(annotations.videos[0].spans[0], 1280, 720)?.left == 0)
        #expect(problems(annotations).count == 3)
        #expect(problems(annotations).allSatisfy { $0.contains(", line 2: ") })
        #expect(annotations.listed.crops == 1)
    }

    @Test func cropsOutsideTheListedPictureAreLeftOut() throws {
        let annotations = try read(
            urls: "Ann u", times: "Ann.mp4 00:05-00:15 00:20-00:30",
            crops: "Ann_0.mp4 0 776 0 776\nAnn_1.mp4 0 x 0 10", heights: "Ann.mp4 720")
        #expect(annotations.videos[0].spans.map { $0.box == nil } == [true, true])
        #expect(
            problems(annotations).map { $0.prefix(24) } == [
                "WDA_crop_wh.txt, line 1:", "WDA_crop_wh.txt, line 2:",
            ])
    }

    /// The sums ran over.
    @Test func numbersBeyondReasonCostNothingButTheirRows() throws {
        let annotations = try read(
            urls: "Ann u", times: "Ann.mp4 00:05-9223372036854775807:15 00:20-00:30 00:40-00:50",
            crops:
                "Ann_1.mp4 0 200 9223372036854775807 200\nAnn_2.mp4 9223372036854775807 200 0 200",
            heights: "Ann.mp4 720")
        #expect(annotations.videos[0].spans.map(\.start) == [20, 40])
        #expect(annotations.videos[0].spans.map { $0.box == nil } == [true, true])
        #expect(problems(annotations).count == 3)
    }

    @Test func numbersTellAPersonsVideosApart() throws {
        let names = ["Ann", "Ann0", "Ann12", "Roybal-Allard+(x)", "Radio1"]
        let texts = ["WDA": names, "RD": ["Radio2", "Radio3"]].reduce(into: [String: String]()) {
            let (subset, names) = ($1.key, $1.value)
            $0["\(subset)_video_url.txt"] = names.map { "\($0) u" }.joined(separator: "\n")
            $0["\(subset)_annotion_time.txt"] = names.map { "\($0).mp4 00:01-00:02" }
                .joined(separator: "\n")
            $0["\(subset)_crop_wh.txt"] = ""
            $0["\(subset)_resolution.txt"] = names.map { "\($0).mp4 720" }.joined(separator: "\n")
        }
        let annotations = try HDTF.annotations(texts)
        // In RD a number is all there is of a name.
        #expect(
            annotations.videos.map(\.identity)
                == ["Radio2", "Radio3", "Ann", "Ann", "Ann", "Roybal-Allard+(x)", "Radio"])
    }

    /// As two rows of the real list do.
    @Test func oneVideoUnderTwoNamesIsOneAndSoIsThePerson() throws {
        let url = "https://www.youtube.com/watch?v="
        let annotations = try read(
            urls: "WhipAnn \(url)aaaaaaaaaaa\nAnn0 \(url)bbbbbbbbbbb\nAnn1 \(url)aaaaaaaaaaa&t=5s",
            times: "WhipAnn.mp4 00:05-00:15\nAnn0.mp4 00:05-00:15\nAnn1.mp4 00:05-00:15",
            heights: "WhipAnn.mp4 720\nAnn0.mp4 720\nAnn1.mp4 720")
        #expect(annotations.videos.map(\.name) == ["WhipAnn", "Ann0"])
        #expect(annotations.videos.map(\.identity) == ["WhipAnn", "WhipAnn"])
        #expect(annotations.listed.videos == 3)
        #expect(
            problems(annotations).contains {
                $0.hasPrefix("WDA_video_url.txt, line 3: Ann1 is the same video as WhipAnn")
            })
        // Its file may be called by either name.
        let match = AnnotationMatch(annotations.videos, files: ["/v/Ann1.mp4"])
        #expect(match.videos == ["/v/Ann1.mp4": 0])
        #expect(match.missing == ["Ann0"])
    }

    @Test func aSubsetIsThereAsAWholeOrNotAtAll() throws {
        let error = #expect(throws: LoopyError.self) {
            try HDTF.annotations(["RD_video_url.txt": "", "RD_resolution.txt": ""])
        }
        #expect(error?.message.contains("RD_annotion_time.txt") == true)
        let annotations = try read()
        #expect(annotations.problems.map(\.file) == ["RD_video_url.txt", "WRA_video_url.txt"])
    }
}

@Suite struct CelebVHQTests {
    private func read(_ clips: String) throws -> Annotations {
        let text = """
            {"meta_info": {"appearance_mapping": ["blurry", "male", "young"],
                           "action_mapping": ["blow", "talk"]},
             "clips": {\(clips)}}
            """
        return try CelebVHQ.annotations(Data(text.utf8), file: "info.json")
    }

    private func clip(
        _ name: String, _ video: String, _ start: Double, _ end: Double,
        box: String = #"{"top": 0.1, "bottom": 0.6, "left": 0.2, "right": 0.5}"#,
        emotion: String = #""happy""#
    ) -> String {
        """
        "\(name)": {"ytb_id": "\(video)", "duration": {"start_sec": \(start), "end_sec": \(end)},
          "bbox": \(box), "version": "v0.1",
          "attributes": {"appearance": [0, 1, 1], "action": [0, 0],
                         "emotion": {"sep_flag": false, "labels": \(emotion)}}}
        """
    }

    @Test func clipsOfOneVideoAreItsSpans() throws {
        let several = #"[{"emotion": "neutral", "start_sec": 0, "end_sec": 1}, {"emotion": "sad"}]"#
        let annotations = try read(
            [
                clip("-a_b_10", "-a_b", 81.62, 86.17),
                clip("-a_b_2", "-a_b", 3, 8, emotion: several), clip("zz_0", "zz", 1, 5),
            ].joined(separator: ","))
        #expect(annotations.problems == [])
        #expect(annotations.videos.map(\.name) == ["-a_b", "zz"])
        #expect(annotations.videos.map(\.identity) == ["-a_b", "zz"])
        #expect(annotations.videos[0].spans.map(\.name) == ["-a_b_2", "-a_b_10"])
        #expect(annotations.videos[0].spans[1].start == 81.62)
        #expect(
            annotations.videos[0].spans.map(\.attributes) == [
                ["appearance": "male, young", "emotion": "neutral, sad"],
                ["appearance": "male, young", "emotion": "happy"],
            ])
        #expect(annotations.listed == importCounts(2, 3, 3))
    }

    /// 0.02 wider on each side, then a square on the shorter one, in the middle.
    @Test func theBoxIsThePublishedCrop() throws {
        let annotations = try read(clip("a_0", "a", 1, 5))
        let box = try #require(annotations.videos[0].spans[0].box?.placed(width: 1000, height: 500))
        // 180...520 wide, 40...310 high: 270 a side around (350, 175).
        for (value, wanted) in zip(
            [box.left, box.top, box.right, box.bottom], [215.0, 40, 485, 310])
        {
            #expect(abs(value - wanted) < 1e-9)
        }
        let edge = try read(
            clip("a_0", "a", 1, 5, box: #"{"top": 0, "bottom": 1, "left": 0.5, "right": 1}"#))
        #expect(
            edge.videos[0].spans[0].box?.placed(width: 100, height: 100)
                == Box(left: 48, top: 24, right: 100, bottom: 76))
    }

    @Test func aBadClipCostsNothingButItself() throws {
        let annotations = try read(
            [
                clip("a_0", "a", 5, 5), clip("b_0", "b", 1, 5, box: "null"),
                clip("c_0", "c", 1, 5, box: #"{"top": 0.5, "bottom": 0.4, "left": 0, "right": 2}"#),
                #""d_0": {"ytb_id": "d"}"#, #""e_0": 7"#, clip("f_0", "f", 1, 5),
            ].joined(separator: ","))
        #expect(annotations.videos.map(\.name) == ["b", "c", "f"])
        #expect(annotations.videos.map { $0.spans[0].box != nil } == [false, false, true])
        #expect(annotations.problems.count == 5)
        for (problem, name) in zip(annotations.problems, ["a_0", "b_0", "c_0", "d_0", "e_0"]) {
            #expect(problem.description.hasPrefix("info.json: clip \(name) "))
        }
        #expect(annotations.listed.spans == 6)
    }

    @Test func whatIsNotTheFileIsSaid() {
        let error = #expect(throws: LoopyError.self) {
            try CelebVHQ.annotations(Data("[]".utf8), file: "info.json")
        }
        #expect(error?.category == .malformed)
        #expect(error?.message.hasPrefix("info.json: ") == true)
    }
}

@Suite struct RAVDESSTests {
    @Test func namesAreTheAnnotation() throws {
        let annotations = RAVDESS.annotations(
            videos: [
                "/v/Actor_12/01-02-06-01-02-01-12.mp4", "/v/Actor_12/02-02-06-01-02-01-12.mp4",
            ],
            others: ["/v/03-02-06-01-02-01-12.wav", "/v/01-02-06-01-02-01-12.csv"])
        #expect(annotations.videos.map(\.name) == ["01-02-06-01-02-01-12"])
        let video = try #require(annotations.videos.first)
        #expect(video.identity == "actor-12")
        #expect(video.spans.map(\.start) == [0])
        #expect(video.spans.map(\.end) == [nil])
        #expect(
            video.spans[0].attributes == [
                "vocal": "song", "emotion": "fearful", "intensity": "normal",
                "statement": "Dogs are sitting by the door", "repetition": "1",
            ])
        #expect(
            annotations.skipped.map { String($0.reason.prefix(11)) } == [
                "modality 02", "modality 03",
            ])
    }

    @Test func otherNamesAreNot() {
        let names = [
            "01-02-06-01-02-01", "01-02-06-01-02-01-25", "01-03-06-01-02-01-12",
            "01-02-09-01-02-01-12", "1-2-6-1-2-1-12", "01-02-06-01-02-00-12", "clip",
        ]
        let annotations = RAVDESS.annotations(videos: names.map { "/v/\($0).mp4" }, others: [])
        #expect(annotations.videos == [])
        #expect(annotations.skipped.isEmpty)
    }
}

@Suite struct AnnotationMatchTests {
    private func video(_ name: String, id: String? = nil, spans: Int = 1) -> AnnotatedVideo {
        var video = AnnotatedVideo(
            name: name, fileNames: [name], youTubeID: id, identity: name)
        video.spans = (0..<spans).map { .init(name: "\(name)_\($0)", start: Double($0), end: nil) }
        return video
    }

    @Test func filesAreKnownByNameOrByIdentifier() {
        let videos = [
            video("a.b+c(1)", id: "-aaaaaaaa_a"), video("Two", id: "bbbbbbbbbbb"),
            video("Three", id: "ccccccccccc"), video("Four", id: "ddddddddddd"),
        ]
        let files = [
            "/v/A talk [bbbbbbbbbbb].webm", "/v/a.b+c(1).mkv", "/v/deep/A talk-ccccccccccc.mp4",
            "/v/ddddddddddd.mov", "/v/four.mp4",
        ]
        let match = AnnotationMatch(videos, files: files)
        #expect(match.videos == [files[0]: 1, files[1]: 0, files[2]: 2, files[3]: 3])
        #expect(match.unlisted == ["/v/four.mp4"])
        #expect(match.missing == [])
        // A pattern would find these too.
        let others = AnnotationMatch(videos, files: ["/v/aXbc1.mp4", "/v/a.bbc(1).mp4"])
        #expect(others.videos == [:])
        #expect(others.unlisted.count == 2)
        #expect(others.missing.count == 4)
    }

    @Test func ofTwoFilesOfOneVideoTheFirstIsTaken() {
        let match = AnnotationMatch([video("Ann")], files: ["/a/Ann.mp4", "/b/Ann.mkv"])
        #expect(match.videos == ["/a/Ann.mp4": 0])
        #expect(match.problems.map(\.file) == ["/b/Ann.mkv"])
        #expect(match.unlisted == [])
    }

    @Test func aVideoWithNothingToUseIsNeitherMissingNorUnlisted() {
        let videos = [video("Ann", spans: 0), video("Bob", spans: 0)]
        let match = AnnotationMatch(videos, files: ["/v/Ann.mp4"])
        #expect(match.videos == [:])
        #expect(match.unlisted == [])
        #expect(match.missing == [])
    }
}

/// Counts to compare with.
private func importCounts(_ videos: Int, _ spans: Int, _ crops: Int) -> ImportReport.Counts {
    var counts = ImportReport.Counts()
    (counts.videos, counts.spans, counts.crops) = (videos, spans, crops)
    return counts
}
