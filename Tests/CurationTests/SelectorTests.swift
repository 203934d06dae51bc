import Curation
import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

/// Measurements that a test writes itself.
struct FakeMeasurements {
    let dataset: DatasetDirectory
    let sources: [Source]
    private let fingerprint: Fingerprint

    init(_ folder: String, _ sources: [Source]) throws {
        dataset = DatasetDirectory(folder)
        self.sources = sources
        fingerprint = try Fingerprint(name: "measure", version: 1, configuration: [String: Int]())
        try JSONLines.write(sources, to: dataset.sourcesFile)
    }

    /// One face of a stretch: where its head is in each frame.
    struct Face {
        var frames: Range<Int>
        var head: (Int) -> [Double]
        var opens = false
        var closes = false
        /// The size of its pictures, where it is not that of the source's first.
        var size: (width: Int, height: Int)?
        var change: (inout Metrics) -> Void = { _ in }
        /// What it sounds and looks like; nothing by default.
        var footage: Footage?
    }

    /// Writes every unit.
    ///
    /// - Parameter lines: the faces in a stretch; nil where it could not be decoded.
    func write(_ lines: (Stretch) -> [Face]?) throws {
        let plan = MeasurePlan(sources, unitSeconds: 60)
        let store = UnitStore(dataset.measurementsFolder(fingerprint))
        for unit in plan.units {
            let file = try OutputFile(store.file(unit, ".jsonl"))
            let tracks = try OutputFile(store.file(unit, ".tracks.tar"))
            let archive = TarWriter(tracks)
            for stretch in plan.stretches(of: unit) {
                let faces = lines(stretch)
                if faces?.isEmpty ?? true {
                    let line = Candidate(
                        outcome: faces == nil ? .undecodable : .noFace,
                        source: stretch.source.digest, start: stretch.frames.lowerBound,
                        end: stretch.frames.upperBound)
                    try file.write(JSONLines.line(line))
                }
                for (number, face) in (faces ?? []).enumerated() {
                    let line = candidate(face, number, stretch.source)
                    try file.write(JSONLines.line(line))
                    let values = face.frames.flatMap { frame in
                        row(face.head(frame), mouth: face.footage?.mouth[frame])
                    }
                    let array = NumPyArray(
                        shape: [face.frames.count, TrackColumn.allCases.count], values: values)
                    try archive.add(line.name + ".track.npy", array.encoded())
                    try addFootage(of: line, face, to: archive)
                }
            }
            try archive.finish()
            try store.commit(
                unit, files: [file, tracks], items: unit.items, frames: [], failures: [])
        }
        try Catalogue.update(dataset) {
            $0.measurements = .init(fingerprint: fingerprint, networks: [:], unitSeconds: 60)
        }
    }

    /// What measuring writes for the search of copies.
    private func addFootage(of line: Candidate, _ face: Face, to archive: TarWriter) throws {
        func halves(_ number: UInt64, _ count: Int) -> [Float] {
            (0..<count).map { Float(Int16(truncatingIfNeeded: number >> UInt64($0 * 16))) }
        }
        let words = (0..<face.frames.count).flatMap { frame in
            halves(UInt64(face.footage?.sound.words[frame] ?? 0), 2)
                + halves(UInt64(face.footage?.sound.details[frame] ?? 0), 2)
        }
        let hashes = Footage.hashes(of: face.frames)
        let bits = (0..<hashes.count).flatMap { halves(face.footage?.hashes[$0] ?? 0, 4) }
        try archive.add(
            line.name + ".sound.npy",
            NumPyArray(shape: [face.frames.count, 4], values: words).encoded(as: .int16))
        try archive.add(
            line.name + ".pictures.npy",
            NumPyArray(shape: [hashes.count, 4], values: bits).encoded(as: .int16))
    }

    private func candidate(_ face: Face, _ number: Int, _ source: Source) -> Candidate {
        var line = Candidate(
            outcome: .candidate, source: source.digest, start: face.frames.lowerBound,
            end: face.frames.upperBound, face: number)
        (line.opensAtBorder, line.closesAtBorder) = (face.opens, face.closes)
        line.firstBox = face.head(face.frames.lowerBound)
        line.lastBox = face.head(face.frames.upperBound - 1)
        let values: [Metric: Double] = [
            .duration: Double(face.frames.count) / 25, .damaged: 0, .faceWidth: 100,
            .faceHeight: 120, .presence: 1, .completeness: 1, .rotation: 0, .movement: 0.1,
            .movementMaximum: 0.5, .sharpness: 8, .brightness: 0.5, .sound: 1, .speech: 0.9,
            .mouthInSpeech: 0.5, .speaker: 1,
        ]
        line.metrics = .unmeasured
        for (metric, value) in values { line.metrics[metric] = value }
        (line.width, line.height) = (face.size?.width, face.size?.height)
        face.change(&line.metrics)
        return line
    }

    /// The face is as tall as the head here.
    private func row(_ head: [Double], mouth: UInt8?) -> [Float] {
        var row = [Float](repeating: 0, count: TrackColumn.allCases.count)
        row[TrackColumn.mouthOpening.rawValue] = (Float(mouth ?? 0) + 0.5) / 255
        for side in 0..<4 {
            row[TrackColumn.faceLeft.rawValue + side] = Float(head[side])
            row[TrackColumn.headLeft.rawValue + side] = Float(head[side])
        }
        return row
    }

    func select(_ change: (inout SelectSettings) -> Void = { _ in }) throws -> (
        report: Selector.Report, decisions: [Decision]
    ) {
        var settings = SelectSettings()
        change(&settings)
        let report = try Selector(dataset, settings: settings).run()
        return (report, try dataset.selection())
    }
}

@Suite struct SelectorTests {
    private typealias Face = FakeMeasurements.Face
    private let still: (Int) -> [Double] = { _ in [200, 150, 320, 270] }

    /// 100 seconds in two stretches, which one face joins.
    @Test func piecesOfALongCandidateLeaveOutNoFrame() throws {
        try withFolder { folder in
            let measured = try FakeMeasurements(folder, [makeSource("long", frames: 2503)])
            try measured.write { stretch in
                let isFirst = stretch.frames.lowerBound == 0
                let frames = isFirst ? stretch.frames : stretch.frames.lowerBound..<2503
                return [Face(frames: frames, head: still, opens: !isFirst, closes: isFirst)]
            }
            let (report, decisions) = try measured.select()
            #expect(report.counts.candidates == 1)
            #expect(report.counts.accepted == 1)
            #expect(report.clips == 4)
            #expect(decisions.allSatisfy { $0.decision == .accept })
            #expect(decisions.map(\.frames.count) == [625, 626, 626, 626])
            #expect(decisions.first?.frames.lowerBound == 0)
            #expect(decisions.last?.frames.upperBound == 2503)
            for (a, b) in zip(decisions, decisions.dropFirst()) {
                #expect(a.frames.upperBound == b.frames.lowerBound)
            }
            #expect(Set(decisions.compactMap(\.key)).count == 4)
            #expect(Set(decisions.map(\.split)).count == 1)
            #expect(abs(decisions[0].metrics![.duration]! - 100.12) < 1e-6)  // an accepted clip
        }
    }

    @Test func decisionsSayWhichRuleRejectedAndAtWhatValue() throws {
        try withFolder { folder in
            let names = ["good", "turned", "empty", "broken", "silent"]
            var sources = try names.map {
                try makeSource($0, frames: 200, hasAudio: $0 != "silent")
            }
            var unreadable = Source(digest: "u", path: "/u.mp4", bytes: 1, modified: 1)
            (unreadable.reason, unreadable.error) = ("not-media", "is a text")
            sources.insert(unreadable, at: 1)
            let measured = try FakeMeasurements(folder, sources)
            try measured.write { stretch in
                switch stretch.source.path {
                case "/videos/empty.mp4": []
                case "/videos/broken.mp4": nil
                case "/videos/turned.mp4":
                    [Face(frames: 0..<200, head: still, change: { $0[.rotation] = 0.75 })]
                default: [Face(frames: 0..<200, head: still)]
                }
            }
            let (report, decisions) = try measured.select()
            #expect(
                decisions.map(\.rule) == [
                    nil, "not-media", "rotation", "no-face", "undecodable", "no-audio",
                ])
            #expect(decisions[1].error == "is a text")
            #expect(decisions[2].value == 0.75)
            #expect(decisions[2].limit == 0.3)
            #expect(decisions[2].key == nil && decisions[2].shard == nil)
            #expect(decisions[0].notApplied == ["sync_confidence", "sync_offset"])
            #expect(report.rulesNotApplied == ["sync_confidence", "sync_offset"])
            #expect(
                report.counts.rejected == [
                    "not-media": 1, "rotation": 1, "no-face": 1, "undecodable": 1, "no-audio": 1,
                ])
            #expect(report.counts.sources == 6)
            #expect(try Catalogue.read(measured.dataset).counts.accepted == 1)
        }
    }

    @Test func shardsAreFilledInOrder() throws {
        try withFolder { folder in
            let sources = try (0..<9).map { try makeSource("source \($0)", frames: 100) }
            let measured = try FakeMeasurements(folder, sources)
            try measured.write { _ in [Face(frames: 0..<100, head: still)] }
            let (_, decisions) = try measured.select {
                $0.clips.perShard = 2
                $0.split.val = 0
                $0.split.test = 0
            }
            #expect(
                decisions.map(\.shard)
                    == (0..<9).map { String(format: "train-%05d", $0 / 2) })
            let first = try Data(contentsOf: URL(fileURLWithPath: measured.dataset.selectionFile))
            _ = try measured.select {
                $0.clips.perShard = 2
                $0.split.val = 0
                $0.split.test = 0
            }
            let second = try Data(contentsOf: URL(fileURLWithPath: measured.dataset.selectionFile))
            #expect(first == second)
        }
    }

    /// Two faces side by side in a small picture, whose crops are both the whole of it.
    @Test func twoFacesInOneCropMakeOneClip() throws {
        try withFolder { folder in
            let source = try makeSource("small", frames: 100, width: 200, height: 200)
            let measured = try FakeMeasurements(folder, [source])
            try measured.write { _ in
                [
                    Face(frames: 0..<100, head: { _ in [0, 20, 120, 180] }),
                    // Its lips say that the sound is early, those of the other say nothing.
                    Face(
                        frames: 0..<100, head: { _ in [90, 20, 200, 180] },
                        change: { $0[.syncOffset] = 3 }),
                ]
            }
            let (report, decisions) = try measured.select()
            #expect(decisions.map(\.decision) == [.accept, .reject])
            #expect(decisions.map(\.rule) == [nil, "duplicate"])
            #expect(decisions[1].key == nil && decisions[1].shard == nil)
            #expect(decisions[1].duplicateOf == decisions[0].key)
            #expect(report.counts.accepted == 1)
            #expect(report.clips == 1)
        }
    }

    /// Three files: one is a copy of another, with a smaller face.
    @Test func aCopyIsRejectedAndNamesTheClipThatIsKept() throws {
        try withFolder { folder in
            let names = ["copy", "original", "other"]
            let measured = try FakeMeasurements(
                folder, names.map { try makeSource($0, frames: 200) })
            var synthetic = SyntheticFootage(seed: 1)
            let original = synthetic.original(frames: 200)
            let footage = [
                "copy": synthetic.copy(of: original, from: 0), "original": original,
                "other": synthetic.original(frames: 200),
            ]
            try measured.write { stretch in
                let name = String(stretch.source.path.dropFirst(8).dropLast(4))
                return [
                    Face(
                        frames: 0..<200, head: still,
                        change: { $0[.faceHeight] = name == "copy" ? 90 : 120 },
                        footage: footage[name])
                ]
            }
            let (report, decisions) = try measured.select()
            #expect(decisions.map(\.rule) == ["duplicate", nil, nil])
            #expect(decisions[0].duplicateOf == decisions[1].key)
            #expect(decisions[0].value == 1 && decisions[0].limit == 0.5)
            #expect(decisions[0].key == nil && decisions[0].split == nil)
            #expect((report.counts.candidates, report.counts.accepted, report.clips) == (3, 2, 2))
            #expect(report.counts.rejected == ["duplicate": 1])

            let kept = try measured.select { $0.duplicates = .keep }
            #expect(kept.decisions.map(\.decision) == [.accept, .accept, .accept])
        }
    }

    /// A head that is too large in the first piece of a candidate does not take the rest with it.
    @Test func piecesAreJudgedEachByItself() throws {
        try withFolder { folder in
            let source = try makeSource("near", frames: 1000, width: 640, height: 360)
            let measured = try FakeMeasurements(folder, [source])
            try measured.write { _ in
                [
                    Face(
                        frames: 0..<1000,
                        head: { $0 < 500 ? [100, 0, 560, 360] : [200, 50, 400, 250] })
                ]
            }
            let (report, decisions) = try measured.select()
            #expect(decisions.map(\.rule) == ["crop", nil])
            #expect(decisions[0].limit == 0.8)
            #expect(abs(decisions[0].value! - 360.0 / 460) < 1e-6)  // a rejected one
            #expect(report.counts.accepted == 1)
            #expect(report.clips == 1)
            let padded = try measured.select { $0.clips.outside = .pad }
            #expect(padded.report.clips == 2)
        }
    }

    /// A portrait video that is cut to the head already, as most public datasets are.
    @Test func aPortraitCutToTheHeadIsAcceptedAndSaysSo() throws {
        try withFolder { folder in
            let source = try makeSource("portrait", frames: 100, width: 300, height: 400)
            let measured = try FakeMeasurements(folder, [source])
            try measured.write { _ in [Face(frames: 0..<100, head: { _ in [30, 40, 270, 346] })] }
            let (_, decisions) = try measured.select()
            #expect(decisions.map(\.decision) == [.accept])
            #expect(decisions[0].crop?.side == 300)
            #expect(decisions[0].cropMargin == -0.0098)
            // The rule on whole heads holds for crops too.
            let strict = try measured.select { $0.rules[.completeness].minimum = 0.99 }
            #expect(strict.decisions.map(\.rule) == ["crop"])
            #expect(strict.decisions[0].limit == 0.99)
            #expect(strict.decisions[0].cropMargin == nil)
        }
    }

    @Test func saysWhichStageIsMissing() throws {
        try withFolder { folder in
            let measured = try FakeMeasurements(folder, [makeSource("a", frames: 100)])
            let error = #expect(throws: LoopyError.self) { try measured.select() }
            #expect(error?.category == .missing)
            #expect(error?.message.contains("run loopy-measure") == true)
            try measured.write { _ in [] }
            _ = try measured.select()
            // A source that came since then.
            try JSONLines.write(
                measured.sources + [makeSource("b", frames: 100)], to: measured.dataset.sourcesFile)
            let later = #expect(throws: LoopyError.self) { try measured.select() }
            #expect(later?.message.contains("1 of 1 units are not measured") == true)
        }
    }

    /// Two people; the annotation means the one on the right, whose face is smaller.
    @Test func onlyTheFaceInTheAnnotatedBoxIsTaken() throws {
        try withFolder { folder in
            var source = try makeSource("two", frames: 400)
            source.identity = "Ann"
            source.spans = [
                AnnotatedSpan(
                    name: "two_0", start: 4, end: 8, box: [350, 100, 600, 350],
                    attributes: ["emotion": "happy"]),
                AnnotatedSpan(name: "two_1", start: 12, end: 16),
            ]
            let measured = try FakeMeasurements(folder, [source])
            try measured.write { stretch in
                [
                    Face(frames: stretch.frames, head: { _ in [50, 100, 250, 300] }),
                    Face(frames: stretch.frames, head: { _ in [400, 150, 520, 270] }),
                ]
            }
            let (report, decisions) = try measured.select()
            #expect(decisions.map(\.rule) == ["other-face", nil, nil, nil])
            #expect(decisions.map(\.annotation) == ["two_0", "two_0", "two_1", "two_1"])
            #expect(decisions[0].value == 0)
            #expect(decisions[0].limit == 0.5)
            #expect(decisions[1].frames == 100..<200)
            #expect(decisions[1].attributes == ["emotion": "happy"])
            #expect(decisions[1].identity == "Ann")
            #expect(decisions[0].identity == nil && decisions[0].attributes == nil)
            #expect(decisions[2].attributes == nil)
            // Without a box any face may be meant.
            #expect(report.counts.accepted == 3)
        }
    }

    /// 0...10 s and 5...15 s, and one face that is there all the time.
    @Test func spansThatOverlapAreJudgedEachByItself() throws {
        try withFolder { folder in
            var source = try makeSource("one", frames: 500)
            source.spans = [
                AnnotatedSpan(name: "a", start: 0, end: 10),
                AnnotatedSpan(name: "b", start: 5, end: 15),
                AnnotatedSpan(name: "c", start: 16, end: 18),
            ]
            let measured = try FakeMeasurements(folder, [source])
            try measured.write { stretch in
                guard stretch.frames.lowerBound < 400 else { return [] }
                return [Face(frames: stretch.frames, head: still, opens: true, closes: true)]
            }
            let (_, decisions) = try measured.select()
            #expect(decisions.map(\.frames) == [0..<250, 125..<375, 400..<450])
            #expect(decisions.map(\.rule) == [nil, nil, "no-face"])
            #expect(decisions.map(\.annotation) == ["a", "b", "c"])
        }
    }

    /// The picture of a browser's recording may grow on the way.
    @Test func aCropLiesInThePicturesOfItsCandidate() throws {
        try withFolder { folder in
            let source = try makeSource("grows", frames: 200, width: 320, height: 180)
            let measured = try FakeMeasurements(folder, [source])
            let head = [700.0, 200, 900, 440]
            try measured.write { _ in
                [Face(frames: 0..<200, head: { _ in head }, size: (1280, 720))]
            }
            let crop = try #require(try measured.select().decisions.first?.crop)
            #expect(Double(crop.x) <= head[0] && Double(crop.x + crop.side) >= head[2])
            #expect(Double(crop.y) <= head[1] && Double(crop.y + crop.side) >= head[3])
            #expect(crop.x + crop.side <= 1280 && crop.y + crop.side <= 720)
        }
    }

    @Test func splitsPartNoIdentity() throws {
        try withFolder { folder in
            let sources = try (0..<60).map { number in
                var source = try makeSource(
                    "source \(number)", frames: 100, identity: "person \(number % 20)")
                source.spans = [AnnotatedSpan(name: "\(number)", start: 0, end: nil)]
                return source
            }
            let measured = try FakeMeasurements(folder, sources)
            try measured.write { _ in [Face(frames: 0..<100, head: still)] }
            let (_, decisions) = try measured.select {
                $0.split.val = 0.3
                $0.split.test = 0.3
            }
            #expect(decisions.count == 60)
            for number in 0..<20 {
                let splits = stride(from: number, to: 60, by: 20).map { decisions[$0].split }
                #expect(Set(splits).count == 1)
            }
            #expect(Set(decisions.map(\.split)).count == 3)
        }
    }

    @Test func theEndOfEachSourceIsHeldOutWhereTimeDecides() throws {
        try withFolder { folder in
            let sources = [
                try makeSource("long", frames: 1000), try makeSource("short", frames: 100),
            ]
            let measured = try FakeMeasurements(folder, sources)
            try measured.write { stretch in
                let isLong = stretch.source.path.contains("long")
                return [Face(frames: 0..<(isLong ? 1000 : 100), head: still)]
            }
            let (_, decisions) = try measured.select {
                $0.clips.maximumSeconds = 4
                $0.split.by = .time
                $0.split.val = 0.2
                $0.split.test = 0.1
            }
            let long = decisions.filter { $0.path.contains("long") }
            #expect(long.count == 10)
            #expect(
                long.map(\.split) == Array(repeating: .train, count: 7) + [.val, .val, .test])
            // What makes one clip is not parted.
            #expect(decisions.count { $0.path.contains("short") } == 1)
            #expect(
                long.filter { $0.split == .val }.allSatisfy { $0.shard?.hasPrefix("val-") == true })
        }
    }
}
