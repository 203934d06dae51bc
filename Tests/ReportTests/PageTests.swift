import Dataset
import Errors
import Foundation
import Media
import Report
import Storage
import TestSupport
import Testing

@Suite struct PageTests {
    /// A name that markup, URLs and scripts would all take for something else.
    private static let odd = #"a:b <!--<script> "q" & #1?.mp4"#

    /// Writes a dataset of two candidates and returns the page's text.
    private func page(
        in folder: String, _ change: (inout Page) throws -> Void = { _ in }
    ) throws -> String {
        let dataset = DatasetDirectory(folder + "/dataset")
        try Catalogue.update(dataset) {
            $0.counts.sources = 2
            $0.counts.accepted = 1
            $0.counts.rejected = ["sharpness": 1]
            $0.rulesNotApplied = ["lip-sync"]
        }
        var accepted = Decision(
            source: "00", path: "/videos/good.mp4", start: 0, end: 100, decision: .accept)
        accepted.split = .train
        var rejected = Decision(
            source: "01", path: "/videos/" + Self.odd, start: 25, end: 75, decision: .reject)
        (rejected.rule, rejected.value, rejected.limit) = ("sharpness", 0.25, 0.5)
        try JSONLines.write([accepted, rejected], to: dataset.selectionFile)
        var page = try Page(dataset, to: folder + "/index.html")
        try change(&page)
        try page.write()
        return String(decoding: try bytes(of: folder + "/index.html"), as: UTF8.self)
    }

    private struct Facts: Decodable {
        struct Candidate: Decodable {
            let file: String
            let start: Double
            let verdict: String
            let rule: String?
            let value: Double?
            let split: String?
        }

        struct Run: Decodable {
            struct Metrics: Decodable { let step: Int, loss: Double? }
            let name: String
            let model: String
            let stage: String
            let metrics: [Metrics]
        }

        struct Video: Decodable {
            struct Curves: Decodable { let opening: [Double?], loudness: [Double] }
            let video: String
            let poster: String?
            let portrait: String
            let record: String
            let curves: Curves
        }

        struct Bar: Decodable { let kind: String, rule: String?, seconds: Double, spans: Int }

        let dataset: String
        let counts: Catalogue.Counts
        let funnel: [Bar]
        let rulesNotApplied: [String]
        let decisions: [Candidate]
        let sheets: [String]
        let runs: [Run]
        let videos: [Video]
    }

    /// The facts as a browser finds them: up to the first end of a script.
    private func facts(_ page: String) throws -> Facts {
        let opening = #"<script type="application/json" id="facts">"#
        let start = try #require(page.range(of: opening)).upperBound
        let end = try #require(page.range(of: "</script>", range: start..<page.endIndex))
        return try JSONDecoder().decode(
            Facts.self, from: Data(page[start..<end.lowerBound].utf8))
    }

    @Test func aDatasetsNumbersAndDecisionsAreOnThePage() throws {
        try withFolder { folder in
            let facts = try facts(page(in: folder))
            #expect(facts.dataset == "dataset")
            #expect(facts.counts.sources == 2 && facts.counts.rejected == ["sharpness": 1])
            #expect(facts.rulesNotApplied == ["lip-sync"])
            #expect(facts.decisions.map(\.file) == ["good.mp4", Self.odd])
            #expect(facts.decisions.map(\.verdict) == ["accept", "reject"])
            #expect(facts.decisions[0].split == "train")
            #expect(facts.decisions[1].start == 1)
            #expect(facts.decisions[1].rule == "sharpness" && facts.decisions[1].value == 0.25)
        }
    }

    @Test func whoIsAtWorkIsOnThePage() throws {
        try withFolder { folder in
            let page = try page(in: folder) { $0.add(work: ["vm-1-0  measure, unit 00001"]) }
            #expect(page.contains("vm-1-0  measure, unit 00001"))
        }
    }

    @Test func aNameIsNeverReadAsMarkup() throws {
        try withFolder { folder in
            let page = try page(in: folder)
            #expect(!page.contains("<!--"))
            // That of the facts, and that of the code.
            #expect(page.components(separatedBy: "<script").count - 1 == 2)
            #expect(page.components(separatedBy: "</script>").count - 1 == 2)
        }
    }

    @Test func thePageNeedsNoNetwork() throws {
        try withFolder { folder in
            let page = try page(in: folder)
                .replacingOccurrences(of: "http://www.w3.org/2000/svg", with: "")
            for address in ["http:", "https:", "//cdn", "@import", "fetch(", "XMLHttpRequest"] {
                #expect(!page.contains(address))
            }
            #expect(!page.contains("src=") && !page.contains("<link"))
        }
    }

    @Test func sheetsAndRunsAreNamedFromWhereThePageLies() throws {
        try withFolder { folder in
            let run = folder + "/dataset/runs/tiny"
            try OutputFile.write(
                #"{"settings": {"preset": "tiny", "model": {"stage": "stage1"}}}"#.utf8,
                to: run + "/run.json")
            try OutputFile.write(
                "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2}\n".utf8, to: run + "/metrics.jsonl")
            let facts = try facts(
                page(in: folder) {
                    $0.add(sheets: [folder + "/" + Self.odd, "/elsewhere/sheet.png"])
                    try $0.add(run: run)
                })
            // Not "a:", which would be a scheme, and no query.
            #expect(
                facts.sheets == [
                    "a%3Ab%20%3C!--%3Cscript%3E%20%22q%22%20&%20%231%3F.mp4",
                    "/elsewhere/sheet.png",
                ])
            #expect(facts.runs.map(\.name) == ["tiny"])
            #expect(facts.runs[0].model == "tiny" && facts.runs[0].stage == "stage1")
            #expect(facts.runs[0].metrics.map(\.step) == [1, 2])
            #expect(facts.runs[0].metrics.map(\.loss) == [0.5, nil])
        }
    }

    @Test func theBarsOfTheFunnelAddUp() throws {
        try withFolder { folder in
            func bars(clips: Int, frames: Int) throws -> [Facts.Bar] {
                let dataset = DatasetDirectory(folder + "/dataset")
                try Catalogue.update(dataset) {
                    ($0.counts.clips, $0.counts.frames) = (clips, frames)
                }
                return try facts(page(in: folder)).funnel
            }
            let cut = try bars(clips: 1, frames: 100)
            #expect(cut.map(\.kind) == ["all", "rejected", "clips"])
            #expect(cut.map(\.seconds) == [6, 2, 4])
            #expect(cut[1].rule == "sharpness")
            // What is accepted and not cut yet is shown, and so is what clips of another selection hide.
            for (clips, frames) in [(0, 0), (3, 300)] {
                let uncut = try bars(clips: clips, frames: frames)
                #expect(uncut.map(\.kind) == ["all", "rejected", "missing", "clips"])
                #expect(uncut.map(\.seconds) == [6, 2, 4, 0])
                #expect(uncut[0].spans == uncut[1...].reduce(0) { $0 + $1.spans })
            }
        }
    }

    /// Two seconds of a test picture with a tone, the record of its making, and its portrait.
    private func generate(_ name: String, in folder: String, settings: String) throws -> String {
        let portrait = folder + "/portrait.png"
        try OutputFile.write(
            Canvas(width: 64, height: 64, fill: .init(200, 100, 50)).png(), to: portrait)
        let record = """
            {"portrait": {"path": "\(portrait)", "crop": {"x": 8, "y": 8, "side": 48}},
             "side": 32, "settings": \(settings)}
            """
        try OutputFile.write(record.utf8, to: folder + "/\(name).json")
        let made = try run(
            "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=2",
            "-f",
            "lavfi", "-i", "sine=d=1", "-pix_fmt", "yuv420p", "-t", "2",
            "-af", "apad=whole_dur=2", folder + "/\(name).mp4")
        try #require(made.status == 0)
        return record
    }

    @Test func aGeneratedVideoStandsBesideItsPortraitAndAboveItsCurves() throws {
        try withFolder { folder in
            let record = try generate("out", in: folder, settings: #"{"steps": 25}"#)
            let facts = try facts(page(in: folder) { try $0.add(video: folder + "/out.mp4") })
            #expect(facts.videos.map(\.video) == ["out.mp4"])
            #expect(facts.videos.map(\.portrait) == ["out.portrait.png"])
            #expect(facts.videos[0].record == record)
            #expect(facts.videos[0].poster == "out.poster.png")
            #expect(FileManager.default.fileExists(atPath: folder + "/out.poster.png"))
            let picture = try VideoReader.firstPicture(path: folder + "/out.portrait.png")
            #expect(picture.width == 32 && picture.height == 32)
            // A test picture has no face; the tone ends after the first second.
            let curves = facts.videos[0].curves
            #expect(curves.opening.count == 50 && curves.opening.allSatisfy { $0 == nil })
            #expect(curves.loudness.count == 50)
            #expect(curves.loudness[5..<20].allSatisfy { $0 > 0.05 })
            #expect(curves.loudness[30...].allSatisfy { $0 < 0.01 })
        }
    }

    @Test func aVideoFromElsewhereIsCopiedToThePage() throws {
        try withFolder { folder in
            try OutputFile.makeFolder(folder + "/elsewhere")
            try OutputFile.makeFolder(folder + "/site")
            _ = try generate("out", in: folder + "/elsewhere", settings: "{}")
            let facts = try facts(
                page(in: folder + "/site") { try $0.add(video: folder + "/elsewhere/out.mp4") })
            #expect(facts.videos[0].video == "index-generated/1-out.mp4")
            #expect(facts.videos[0].portrait == "index-generated/1-out.portrait.png")
            #expect(
                try bytes(of: folder + "/site/index-generated/1-out.mp4")
                    == bytes(of: folder + "/elsewhere/out.mp4"))
        }
    }

    @Test func aMissingVideoIsAnError() throws {
        try withFolder { folder in
            _ = try generate("out", in: folder, settings: "{}")
            try FileManager.default.removeItem(atPath: folder + "/out.mp4")
            let error = #expect(throws: LoopyError.self) {
                try page(in: folder) { try $0.add(video: folder + "/out.mp4") }
            }
            #expect(error?.description.contains("out.mp4") == true)
        }
    }
}
