import Curation
import Dataset
import Errors
import Foundation
import Media
import Settings
import Storage
import TestSupport
import Testing

/// Networks of the user's as metrics. `score.pt` gives the mean of all that it gets, whatever the shape;
/// `score.onnx` 0.25 red + 0.5 green - 0.125 blue of a picture.
@Suite struct NetworkMetricTests {
    private static let fixtures = Place.package + "/Tests/EvaluationTests/Fixtures/"

    /// What is measured of a real person in 2.4 s.
    private func measured(
        _ networks: [String: NetworkMetricSettings], unitSeconds: Double = 60
    ) throws -> (candidates: [Metrics], notes: [String: String], joined: Metrics) {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            _ = try Ingest(dataset, settings: IngestSettings()).run([
                Place.sample("single_face.mp4")
            ])
            var settings = MeasureSettings()
            (settings.unitSeconds, settings.networks) = (unitSeconds, networks)
            let stage = try MeasureStage(dataset, settings: settings, threads: 1)
            for unit in stage.pending() { try stage.build(unit) }
            _ = try stage.finish()
            let record = try #require(Catalogue.read(dataset).measurements)
            #expect(record.metricsOfNetworks.map(\.name) == networks.keys.sorted())
            let measurements = dataset.measurementsFolder(record.fingerprint)
            let lines = try names(in: measurements).filter { $0.hasSuffix(".jsonl") }.flatMap {
                try JSONLines.read(Candidate.self, from: measurements + "/" + $0)
            }
            let joined = stitched(
                lines.map { StitchedCandidate.Part(candidate: $0, unit: 0) },
                networks: record.metricsOfNetworks)
            #expect(joined.count == 1)
            return (lines.map(\.metrics), lines[0].notes ?? [:], joined[0].metrics)
        }
    }

    private func network(
        _ file: String, _ input: NetworkMetricSettings.Input, side: Int = 32,
        pooling: NetworkMetricSettings.Pooling = .mean
    ) -> NetworkMetricSettings {
        var settings = NetworkMetricSettings()
        (settings.file, settings.input) = (Self.fixtures + file, input)
        (settings.side, settings.pooling, settings.picturesPerSecond) = (side, pooling, 5)
        return settings
    }

    @Test func facesPicturesClipsAndSoundAreGiven() throws {
        var clip = network("score.pt", .clip), voice = network("score.pt", .sound)
        (clip.frames, voice.seconds) = (4, 0.4)
        var scaled = network("score.pt", .picture)
        (scaled.mean, scaled.std) = ([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
        let found = try measured([
            "face": network("score.pt", .face), "picture": network("score.pt", .picture),
            "clip": clip, "voice": voice, "scaled": scaled,
            "colours": network("score.onnx", .picture, side: 0),
        ]).candidates[0]
        let picture = try #require(found["picture"]), face = try #require(found["face"])
        #expect((0.1...0.9).contains(picture) && (0.1...0.9).contains(face))
        #expect(abs(face - picture) > 0.01)
        // The same pictures, some at a time.
        let ofClips = try #require(found["clip"])
        #expect(abs(ofClips - picture) < 0.02)
        let ofScaled = try #require(found["scaled"])
        #expect(abs(ofScaled - (picture - 0.5) / 0.25) < 1e-3)
        let colours = try #require(found["colours"])
        #expect((0.1...0.6).contains(colours))
        let heard = try #require(found["voice"])
        #expect(abs(heard) < 0.1)
    }

    @Test func poolingTakesTheLeastOrTheGreatest() throws {
        let found = try measured([
            "mean": network("score.pt", .face),
            "least": network("score.pt", .face, pooling: .minimum),
            "most": network("score.pt", .face, pooling: .maximum),
        ]).candidates[0]
        let least = try #require(found["least"]), most = try #require(found["most"])
        let mean = try #require(found["mean"])
        #expect(least < mean && mean < most)
    }

    /// Wherever the source is cut into stretches.
    @Test func stretchesJoinToTheWhole() throws {
        let networks = [
            "mean": network("score.pt", .face),
            "least": network("score.pt", .picture, pooling: .minimum),
            "most": network("score.pt", .picture, pooling: .maximum),
        ]
        let whole = try measured(networks).joined
        let cut = try measured(networks, unitSeconds: 0.8)
        #expect(cut.candidates.count == 3)
        for name in ["least", "most"] { #expect(whole[name] == cut.joined[name], "\(name)") }
        let mean = try #require(whole["mean"]), joined = try #require(cut.joined["mean"])
        #expect(abs(mean - joined) < 0.01)
    }

    @Test func whatCannotBeGivenIsSaid() throws {
        var clip = network("score.pt", .clip), voice = network("score.pt", .sound)
        (clip.frames, voice.seconds) = (100, 100)
        let found = try measured(["clip": clip, "voice": voice])
        #expect(found.candidates[0]["clip"] == nil && found.candidates[0]["voice"] == nil)
        #expect(found.notes["clip"]?.contains("100 pictures") == true)
        #expect(found.notes["voice"]?.contains("100.0 s") == true)
    }

    @Test func aNumberThatIsNotThereIsAnError() {
        var face = network("score.pt", .face)
        face.output = 3
        let networks = ["face": face]
        let error = #expect(throws: LoopyError.self) { try measured(networks) }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains("measure.networks.face.output") == true)
    }

    /// Its file, by content, and its settings.
    @Test func theFingerprintCoversNetworks() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            try write("", to: dataset.sourcesFile)
            func fingerprint(_ networks: [String: NetworkMetricSettings]) throws -> String {
                var settings = MeasureSettings()
                settings.networks = networks
                let stage = try MeasureStage(dataset, settings: settings, threads: 1)
                return stage.fingerprint?.digest ?? ""
            }
            var copied = network("score.pt", .face)
            copied.file = folder + "/copy.pt"
            try FileManager.default.copyItem(
                atPath: Self.fixtures + "score.pt", toPath: copied.file)
            let first = try fingerprint(["a": network("score.pt", .face)])
            let ofCopy = try fingerprint(["a": copied])
            #expect(ofCopy == first)
            let others = [
                try fingerprint([:]), try fingerprint(["b": network("score.pt", .face)]),
                try fingerprint(["a": network("score.onnx", .face)]),
                try fingerprint(["a": network("score.pt", .face, pooling: .maximum)]),
            ]
            #expect(Set(others + [first]).count == 5)
        }
    }

    @Test func rulesLimitNetworks() throws {
        let quality = Metric.network("quality")
        let settings = try Configuration.read(
            SelectSettings(networks: [quality]), section: ["select"], file: nil,
            overrides: ["select.rules.quality.minimum=0.5", "select.rules.duration.minimum=null"])
        #expect(settings.rules[quality].minimum == 0.5)
        #expect(settings.rules.applied.last?.metric == quality)
        var metrics = Metrics.unmeasured(and: [quality])
        metrics["quality"] = 0.4
        let broken = settings.rules.judge(metrics, [quality]).broken
        #expect(broken?.metric == quality && broken?.limit == 0.5)
        let crossed = #expect(throws: LoopyError.self) {
            try Configuration.read(
                SelectSettings(networks: [quality]), section: ["select"], file: nil,
                overrides: ["select.rules.quality={minimum: 2, maximum: 1}"])
        }
        #expect(crossed?.message.hasPrefix("select.rules.quality: the minimum") == true)
        let unknown = #expect(throws: LoopyError.self) {
            try Configuration.read(
                SelectSettings(networks: [quality]), section: ["select"], file: nil,
                overrides: ["select.rules.qualty.minimum=1"])
        }
        #expect(unknown?.message.contains("did you mean 'quality'?") == true)
    }

    @Test(arguments: [
        ("{ quality: { input: face } }", "measure.networks.quality.file"),
        ("{ quality: { file: a.bin } }", "measure.networks.quality.file: a.bin"),
        ("{ quality: { file: a.pt, side: 0 } }", "measure.networks.quality.side"),
        ("{ quality: { file: a.pt, side: -3 } }", "measure.networks.quality.side: -3"),
        ("{ quality: { file: a.pt, input: eyes } }", "measure.networks.quality.input"),
        ("{ quality: { file: a.pt, poolin: mean } }", "did you mean 'pooling'?"),
        ("{ quality: { file: a.pt, mean: [1] } }", "measure.networks.quality.mean"),
        ("{ speech: { file: a.pt } }", "measure.networks.speech"),
        ("{ Quality: { file: a.pt } }", "measure.networks.Quality"),
        ("quality.pt", "measure.networks"),
    ])
    func settingsThatAreWrongAreNamed(text: String, message: String) throws {
        let error = try withFolder { folder in
            let file = folder + "/p.yaml"
            try write("measure: { networks: \(text) }\n", to: file)
            return #expect(throws: LoopyError.self) {
                try Configuration.read(MeasureSettings(), section: ["measure"], file: file)
            }
        }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
}
