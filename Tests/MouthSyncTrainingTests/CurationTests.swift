import Curation
import Dataset
import Foundation
import SyntheticSpeaker
import TestSupport
import Testing

/// Lip-sync in curation, on a speaker whose truth is known.
@Suite struct MouthSyncCurationTests {
    /// Measures and selects with the default rules.
    private func curate(
        _ folder: String, _ videos: [String], lipSync: String = "embedded"
    ) throws -> (dataset: DatasetDirectory, decisions: [Decision]) {
        let dataset = DatasetDirectory(folder + "/dataset")
        _ = try Ingest(dataset, settings: IngestSettings()).run(videos)
        var settings = MeasureSettings()
        settings.lipSync = lipSync
        let stage = try MeasureStage(dataset, settings: settings, threads: 1)
        for unit in stage.pending() { try stage.build(unit) }
        try #require(stage.finish() == [])
        _ = try Selector(dataset, settings: SelectSettings()).run()
        return (dataset, try dataset.selection())
    }

    private func render(
        _ path: String, _ change: (inout SpeakerVideo.Options) -> Void = { _ in }
    ) throws {
        var options = SpeakerVideo.Options()
        options.size = 192
        change(&options)
        let video = try SpeakerVideo(
            portrait: Place.portrait, speech: [Place.speech], options)
        try video.write(to: path)
    }

    @Test(arguments: [0, 5, -6])
    func theOffsetIsMeasuredAndTheSoundDelayedByIt(shift: Int) throws {
        try withFolder { folder in
            try render(folder + "/v.mp4") { $0.shift = shift }
            let (dataset, decisions) = try curate(folder, [folder + "/v.mp4"])
            let decision = try #require(decisions.first)
            #expect(decision.decision == .accept, "\(decision.rule ?? "")")
            #expect(decision.notApplied == [])
            let metrics = try #require(decision.metrics)
            #expect(abs(try #require(metrics[.syncOffset]) + Double(shift)) < 0.5)
            #expect(try #require(metrics[.syncConfidence]) > 0.5)
            #expect(try #require(metrics[.syncSeconds]) > 1.5)
            #expect(decision.audioDelay == -shift)
            #expect(decision.syncCurve?.count == 31)
            let networks = try #require(Catalogue.read(dataset).measurements?.networks)
            #expect(networks["lip_sync"] != nil && networks["syncnet"] == nil)
        }
    }

    @Test func soundThatIsFurtherOffThanTheLimitIsRejected() throws {
        try withFolder { folder in
            try render(folder + "/v.mp4") { $0.shift = 11 }
            let decision = try #require(try curate(folder, [folder + "/v.mp4"]).decisions.first)
            #expect(decision.rule == "sync_offset")
            #expect(abs(try #require(decision.value) + 11) < 0.5)
        }
    }

    @Test func ofTwoHeadsTheOneSpeaksWhoseMouthFitsTheSound() throws {
        try withFolder { folder in
            try render(folder + "/two.mp4") { $0.hasBystander = true }
            let decisions = try curate(folder, [folder + "/two.mp4"]).decisions
            #expect(decisions.count { $0.decision == .accept } == 1)
            let accepted = try #require(decisions.first { $0.decision == .accept })
            #expect(try #require(accepted.crop).x < 192)
        }
    }

    @Test func whatCannotBeToldHasAReason() throws {
        try withFolder { folder in
            let path = Place.package + "/.deps/samples/WolfgangLanger_Pexels.mp4"
            let (dataset, decisions) = try curate(folder, [path])
            #expect(decisions.allSatisfy { $0.syncCurve == nil })
            let measurements = try #require(Catalogue.read(dataset).measurements)
            let unit = try #require(
                try names(in: dataset.measurementsFolder(measurements.fingerprint))
                    .first { $0.hasSuffix(".jsonl") })
            let lines = try String(
                contentsOfFile: dataset.measurementsFolder(measurements.fingerprint) + "/" + unit,
                encoding: .utf8)
            #expect(lines.contains("s of speech with visible lips; lip-sync needs 1 s"))
        }
    }
}
