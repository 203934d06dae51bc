import Dataset
import Errors
import Foundation
import Media
import Report
import Storage
import TestSupport
import Testing

@Suite struct SiteTests {
    /// A dataset of which nothing is measured yet.
    private func site(
        in folder: String, runs: [String] = [], generated: [String] = [], work: [String] = []
    ) throws -> Site {
        let dataset = DatasetDirectory(folder + "/dataset")
        try Catalogue.update(dataset) {
            $0.counts.sources = 2
            $0.rulesNotApplied = ["lip-sync"]
        }
        return try Site(dataset, runs: runs, generated: generated, work: work)
    }

    private func json(_ site: Site, _ name: String) throws -> JSONValue {
        let bytes = try #require(try site.resource(name)).bytes()
        return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    }

    @Test func theStateSaysWhatIsInTheDatasetAndWhoIsAtWork() throws {
        try withFolder { folder in
            let state = try json(site(in: folder, work: ["vm-1-0  measure"]), "state.json")
            #expect(state["dataset"]?.string == "dataset")
            #expect(state["counts"]?["sources"] == .integer(2))
            #expect(state["rules_not_applied"] == .array([.string("lip-sync")]))
            #expect(state["work"] == .array([.string("vm-1-0  measure")]))
        }
    }

    @Test func whatIsNoResourceIsNotThere() throws {
        try withFolder { folder in
            let site = try site(in: folder)
            for name in [
                "", "table", "clips/0.json", "../dataset.json", "runs/0/../1.png", "runs/0/1.png",
                "videos/0.mp4", "dataset.json", "/etc/passwd", "clips/0.mp4/x",
            ] {
                #expect(try site.resource(name) == nil, "\(name)")
            }
        }
    }

    @Test func runsAreReadAnewWithTheirSamples() throws {
        try withFolder { folder in
            let run = folder + "/dataset/runs/tiny"
            try OutputFile.write(
                #"{"settings": {"preset": "tiny", "model": {"stage": "stage1"}}}"#.utf8,
                to: run + "/run.json")
            let site = try site(in: folder)
            #expect(try json(site, "runs.json").count == 1)
            let metrics = "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2}\n"
            try OutputFile.write(metrics.utf8, to: run + "/metrics.jsonl")
            let canvas = Canvas(width: 8, height: 8, fill: .init(1, 2, 3))
            try OutputFile.write(canvas.png(), to: run + "/samples/00000002.png")
            let described = try #require(try json(site, "runs.json").first)
            #expect(described["name"]?.string == "tiny" && described["stage"]?.string == "stage1")
            #expect(described["metrics"]?.count == 2)
            #expect(described["metrics"]?.first?["loss"] == .number(0.5))
            let sample = try #require(described["samples"]?.first?["picture"]?.string)
            let picture = try #require(try site.resource(sample))
            #expect(try picture.bytes() == bytes(of: run + "/samples/00000002.png"))
            #expect(picture.type == .png)
        }
    }

    @Test func aFolderWithoutARunIsAnError() throws {
        try withFolder { folder in
            let error = #expect(throws: LoopyError.self) {
                try site(in: folder, runs: [folder + "/nothing"])
            }
            #expect(error?.description.contains("nothing") == true)
        }
    }

    /// Two seconds of a test picture with a tone, the record of its making, and its portrait.
    private func generate(in folder: String) throws -> String {
        let portrait = folder + "/portrait.png"
        try OutputFile.write(
            Canvas(width: 64, height: 64, fill: .init(200, 100, 50)).png(), to: portrait)
        let record = """
            {"portrait": {"path": "\(portrait)", "crop": {"x": 8, "y": 8, "side": 48}},
             "audio": {"path": "private/speech.wav"}, "side": 32, "settings": {"steps": 25}}
            """
        try OutputFile.write(record.utf8, to: folder + "/generated/out.json")
        for (name, change) in [("generated", "null"), ("true", "negate")] {
            try OutputFile.makeFolder(folder + "/" + name)
            let made = try run(
                "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
                "testsrc=s=64x64:r=25:d=2", "-f", "lavfi", "-i", "sine=d=1", "-vf", change,
                "-pix_fmt", "yuv420p", "-t", "2", "-af", "apad=whole_dur=2",
                "\(folder)/\(name)/out.mp4")
            try #require(made.status == 0)
        }
        return folder + "/generated/out.mp4"
    }

    @Test func aGeneratedVideoHasItsCurvesItsPortraitAndItsTruth() throws {
        try withFolder { folder in
            let site = try site(in: folder, generated: [generate(in: folder)])
            let video = try #require(try json(site, "videos.json").first)
            #expect(video["name"]?.string == "out.mp4")
            #expect(video["record"]?["settings"]?["steps"] == .integer(25))
            // A test picture has no face; the tone ends after the first second.
            let opening = try #require(video["curves"]?["opening"])
            #expect(opening.count == 50 && opening.elements.allSatisfy { $0 == .null })
            let loudness = try #require(video["curves"]?["loudness"]).numbers
            #expect(loudness.count == 50)
            #expect(loudness[5..<20].allSatisfy { $0 > 0.05 })
            #expect(loudness[30...].allSatisfy { $0 < 0.01 })
            // The truth is the negative: far from it, and not nothing.
            let psnr = try #require(video["psnr"]).numbers
            #expect(psnr.count == 50 && psnr.allSatisfy { $0 > 0 && $0 < 10 })
            let portrait = try #require(try site.resource("videos/0.portrait.jpg")).bytes()
            try OutputFile.write(portrait, to: folder + "/portrait.jpg")
            let picture = try VideoReader.firstPicture(path: folder + "/portrait.jpg")
            #expect(picture.width == 32 && picture.height == 32)
            for name in ["videos/0.mp4", "videos/0.true.mp4", "videos/0.jpg"] {
                #expect(try site.resource(name)?.bytes().isEmpty == false, "\(name)")
            }
            #expect(try site.resource("videos/1.mp4") == nil)
        }
    }

    @Test func aPageNamesFilesWithoutTheirFolders() throws {
        try withFolder { folder in
            let site = try site(in: folder, generated: [generate(in: folder)])
            try Page(site).write(to: folder + "/index.html", clips: 0)
            let page = String(decoding: try bytes(of: folder + "/index.html"), as: UTF8.self)
            let start = try #require(page.range(of: #"id="resources">"#)).upperBound
            let end = try #require(page.range(of: "</script>", range: start..<page.endIndex))
            let held = try JSONDecoder().decode(
                [String: Data].self, from: Data(page[start..<end.lowerBound].utf8))
            let videos = String(decoding: try #require(held["videos.json"]), as: UTF8.self)
            #expect(videos.contains(#""path":"portrait.png""#))
            #expect(videos.contains(#""path":"speech.wav""#))
            for name in held.keys where name.hasSuffix(".json") {
                #expect(!String(decoding: held[name]!, as: UTF8.self).contains(folder), "\(name)")
            }
        }
    }

    /// A page can be made of what is left.
    @Test func whatHasBeenRemovedIsNotShown() throws {
        try withFolder { folder in
            let site = try site(in: folder, generated: [generate(in: folder)])
            try FileManager.default.removeItem(atPath: folder + "/portrait.png")
            try Page(site).write(to: folder + "/index.html", clips: 3)
            #expect(try !bytes(of: folder + "/index.html").isEmpty)
        }
    }

    @Test func aMissingVideoIsAnError() throws {
        try withFolder { folder in
            let error = #expect(throws: LoopyError.self) {
                try site(in: folder, generated: [folder + "/out.mp4"])
            }
            #expect(error?.description.contains("out.mp4") == true)
        }
    }

    @Test func thePageNeedsNoNetworkAndRunsItsOwnScriptAlone() throws {
        try withFolder { folder in
            let site = try site(in: folder, work: ["</script><script>alert(1)</script>"])
            try Page(site).write(to: folder + "/index.html", clips: 3)
            let page = String(decoding: try bytes(of: folder + "/index.html"), as: UTF8.self)
            #expect(page.components(separatedBy: "<script").count - 1 == 2)
            #expect(page.components(separatedBy: "</script>").count - 1 == 2)
            #expect(!page.contains("{{") && !page.contains("alert("))
            let opening = try #require(page.range(of: "<script>")).upperBound
            let end = try #require(page.range(of: "</script>", range: opening..<page.endIndex))
            let digest = Digest.base64(of: String(page[opening..<end.lowerBound]))
            #expect(page.contains("script-src 'sha256-\(digest)'"))
            for address in ["https:", "//cdn", "@import", "XMLHttpRequest", "eval("] {
                #expect(!page.contains(address), "\(address)")
            }
        }
    }
}

extension JSONValue {
    fileprivate var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    fileprivate var count: Int { elements.count }
    fileprivate var first: JSONValue? { elements.first }

    fileprivate var numbers: [Double] {
        elements.compactMap {
            switch $0 {
            case .number(let value): value
            case .integer(let value): Double(value)
            default: nil
            }
        }
    }
}
