import Curation
import Dataset
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct MeasureStageTests {
    /// Measures files into a new dataset and selects from it.
    private func measure(
        _ files: [String], unitSeconds: Double = 60, in folder: String
    ) throws -> (
        lines: [Candidate], decisions: [Decision], failures: [Failure],
        fingerprints: [String: [Float]]
    ) {
        let dataset = DatasetDirectory(folder)
        _ = try Ingest(dataset, settings: IngestSettings()).run(files)
        var settings = MeasureSettings()
        settings.unitSeconds = unitSeconds
        let stage = try MeasureStage(dataset, settings: settings, threads: 2)
        for unit in stage.pending() { try stage.build(unit) }
        #expect(stage.pending() == [])
        let failures = try stage.finish()
        _ = try Selector(dataset, settings: SelectSettings()).run()
        let measurements = try #require(Catalogue.read(dataset).measurements)
        let measured = dataset.measurementsFolder(measurements.fingerprint)
        let lines = try FileManager.default.contentsOfDirectory(atPath: measured).sorted()
            .filter { $0.hasSuffix(".jsonl") }
            .flatMap { try JSONLines.read(Candidate.self, from: measured + "/" + $0) }
        // What is heard and seen of each candidate, by the member's ending, one candidate after the other.
        var fingerprints: [String: [Float]] = [:]
        for archive in try FileManager.default.contentsOfDirectory(atPath: measured).sorted()
        where archive.hasSuffix(".tar") {
            let reader = try TarReader(measured + "/" + archive)
            for ending in [".sound.npy", ".pictures.npy"] {
                for member in reader.members where member.name.hasSuffix(ending) {
                    let array = try NumPyArray(
                        decoding: reader.read(member.name), name: member.name)
                    fingerprints[ending, default: []] += array.values
                }
            }
        }
        return (lines, try dataset.selection(), failures, fingerprints)
    }

    /// Two men stand beside each other; the one on the right speaks.
    @Test func theSpeakerIsToldFromTheListener() throws {
        try withFolder { folder in
            let (lines, _, failures, _) = try measure(
                [Place.sample("obama_speech.mp4")], in: folder)
            #expect(failures == [])
            let long = lines.filter { $0.end - $0.start > 150 }
            #expect(long.count == 2)
            let speaker = try #require(long.max { $0.firstBox[0] < $1.firstBox[0] })
            let listener = try #require(long.min { $0.firstBox[0] < $1.firstBox[0] })
            #expect(speaker.metrics[.speaker] == 1)
            #expect(listener.metrics[.speaker]! < 0.9)  // measured, for there is speech
            #expect(speaker.metrics[.mouthInSpeech]! > listener.metrics[.mouthInSpeech]!)
            #expect(speaker.metrics[.otherFaces]! > 0.9)
            #expect(speaker.metrics[.speech]! > 0.5)
            #expect(abs(speaker.metrics[.frameRate]! - 11.94) < 0.01)
        }
    }

    /// However the source is cut into stretches, one candidate comes out with the same values.
    @Test func stretchesJoinToTheWhole() throws {
        let path = Place.sample("single_face.mp4")
        let whole = try withFolder { try measure([path], in: $0) }
        let cut = try withFolder { try measure([path], unitSeconds: 0.8, in: $0) }
        #expect(whole.lines.count == 1)
        #expect(cut.lines.count == 3)
        #expect(cut.lines.map(\.opensAtBorder) == [false, true, true])
        #expect(cut.lines.map(\.closesAtBorder) == [true, true, false])
        #expect(cut.decisions.count == 1)
        #expect(cut.decisions.map(\.frames) == whole.decisions.map(\.frames))
        #expect(cut.decisions.map(\.rule) == whole.decisions.map(\.rule))
        let joined = cut.lines.dropFirst().reduce(cut.lines[0].metrics) {
            $0.merged(with: $1.metrics)
        }
        for metric in [Metric.duration, .faceHeight, .yawMaximum, .brightness, .speech] {
            let (a, b) = (whole.lines[0].metrics[metric]!, joined[metric]!)  // all measured
            #expect(abs(a - b) <= 0.05 * abs(a) + 0.05, "\(metric): \(a), \(b)")
        }
        // What copies are found by does not depend on where stretches end.
        for ending in [".sound.npy", ".pictures.npy"] {
            let (one, other) = (
                try #require(whole.fingerprints[ending]), try #require(cut.fingerprints[ending])
            )
            #expect(one.count == other.count && !one.isEmpty)
            let bits = zip(one, other).reduce(0) {
                $0 + (Int16($1.0) ^ Int16($1.1)).nonzeroBitCount
            }
            #expect(Double(bits) < 0.05 * Double(16 * one.count), "\(ending): \(bits)")
        }
    }

    @Test func aFilmWithoutFacesSaysSo() throws {
        try withFolder { folder in
            let (lines, decisions, failures, _) = try measure(
                [Place.sample("small.mp4")], in: folder)
            #expect(failures == [])
            #expect(lines.map(\.outcome) == [.noFace])
            #expect(decisions.map(\.rule) == ["no-face"])
        }
    }

    /// Stretches or units, two at a time or one by one: the same bytes, and what is in hand is told.
    @Test func whatIsMeasuredAtTheSameTimeIsTheSame() throws {
        try withFolder { folder in
            let files = try (0..<3).map { number in
                let path = folder + "/\(number).mp4"
                try makeVideo(path, source: "testsrc2=s=96x64:r=25:d=\(number + 1)")
                return path
            }
            /// - Parameter alone: nil for several units at a time.
            func build(
                _ name: String, unitSeconds: Double = 60, alone: Bool?
            ) throws -> (bytes: [Data], inHand: [[String]]) {
                let dataset = DatasetDirectory(folder + "/" + name)
                _ = try Ingest(dataset, settings: IngestSettings()).run(
                    files + [Place.sample("single_face.mp4")])
                var settings = MeasureSettings()
                settings.unitSeconds = unitSeconds
                let stage = try MeasureStage(dataset, settings: settings, threads: 2)
                var inHand: [[String]] = []
                if let alone {
                    for unit in stage.units {
                        try stage.build(unit, skipping: [:], alone: alone) { inHand.append($0) }
                    }
                } else {
                    var most = 0
                    try stage.build(stage.units) { built, units in
                        #expect(built >= most && built + units.count <= stage.units.count)
                        most = built
                        inHand.append(units)
                    }
                    #expect(most == stage.units.count)
                }
                _ = try stage.finish()
                let measurements = try #require(Catalogue.read(dataset).measurements)
                let measured = dataset.measurementsFolder(measurements.fingerprint)
                let bytes = try FileManager.default.contentsOfDirectory(atPath: measured).sorted()
                    .filter { !$0.hasSuffix(".json") }
                    .map { try Data(contentsOf: URL(fileURLWithPath: measured + "/" + $0)) }
                return (bytes, inHand)
            }
            let together = try build("together", alone: false)
            let alone = try build("alone", alone: true)
            #expect(together.bytes == alone.bytes)
            #expect(alone.inHand.allSatisfy { $0.count == 1 })
            #expect(together.inHand.contains { $0.count == 2 })
            #expect(Set(together.inHand.joined()) == Set(alone.inHand.joined()))

            let units = try build("units", unitSeconds: 2, alone: nil)
            #expect(units.inHand.contains { $0.count == 2 })
            #expect(units.bytes == (try build("one by one", unitSeconds: 2, alone: true)).bytes)
        }
    }

    @Test func aStretchThatCrashedBecomesAFailure() throws {
        try withFolder { folder in
            let path = folder + "/grey.mp4"
            try makeVideo(path, source: "color=gray:s=64x64:r=25")
            let dataset = DatasetDirectory(folder + "/dataset")
            _ = try Ingest(dataset, settings: IngestSettings()).run([path])
            let stage = try MeasureStage(dataset, settings: MeasureSettings(), threads: 1)
            let unit = try #require(stage.units.first)
            try stage.build(unit, skipping: [unit.items[0]: "signal 11"], alone: false) { _ in }
            let failures = try stage.finish()
            #expect(failures.map(\.reason) == ["crashed"])
            #expect(failures.first?.path == path)
            _ = try Selector(dataset, settings: SelectSettings()).run()
            let decisions = try dataset.selection()
            #expect(decisions.map(\.rule) == ["undecodable"])
            #expect(decisions.first?.error == "signal 11")
        }
    }
}
