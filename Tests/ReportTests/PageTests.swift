import Dataset
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

        struct Video: Decodable { let video: String, portrait: String, record: String }

        let dataset: String
        let counts: Catalogue.Counts
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

    @Test func aGeneratedVideoStandsBesideItsPortrait() throws {
        try withFolder { folder in
            let portrait = folder + "/portrait.png"
            try OutputFile.write(
                Canvas(width: 64, height: 64, fill: .init(200, 100, 50)).png(), to: portrait)
            let record = """
                {"portrait": {"path": "\(portrait)", "crop": {"x": 8, "y": 8, "side": 48}},
                 "side": 32}
                """
            try OutputFile.write(record.utf8, to: folder + "/out.json")
            let facts = try facts(page(in: folder) { try $0.add(video: folder + "/out.mp4") })
            #expect(facts.videos.map(\.video) == ["out.mp4"])
            #expect(facts.videos.map(\.portrait) == ["out.portrait.png"])
            #expect(facts.videos[0].record == record)
            let picture = try VideoReader.firstPicture(path: folder + "/out.portrait.png")
            #expect(picture.width == 32 && picture.height == 32)
        }
    }
}
