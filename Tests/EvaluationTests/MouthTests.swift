import Errors
import Evaluation
import Foundation
import Settings
import Testing

/// Curves of mouths against each other.
@Suite struct CurveCorrelationTests {
    /// A smooth curve that moves like speech, the same for the same seed.
    private func speech(_ frames: Int, seed: UInt64) -> [Double?] {
        var state = seed
        let noise = (0..<(frames + 4)).map { _ -> Double in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 31)
        }
        return (0..<frames).map { frame in noise[frame..<(frame + 4)].reduce(0, +) / 4 }
    }

    private func correlation(_ generated: [Double?], _ reference: [Double?]) throws
        -> CurveCorrelation
    {
        try CurveCorrelation([.init(generated: generated, reference: reference)])
    }

    @Test func aCurveFollowsItselfAndNoShiftIsAsGood() throws {
        let curve = speech(250, seed: 1)
        let found = try correlation(curve.map { $0.map { 3 * $0 + 2 } }, curve)
        #expect(abs(found.r - 1) < 1e-12)
        #expect(found.frames == 250)
        let shuffled = try found.shuffled()
        // Shifts of 25...225 frames.
        #expect(shuffled.count == 201)
        #expect(shuffled.p == 1.0 / 202)
        #expect(abs(shuffled.mean) < 0.1)
        #expect(shuffled.greatest < 0.6)
    }

    @Test func theNumberIsPearsons() throws {
        // Over whole periods sine and cosine are uncorrelated and vary alike.
        let sine: [Double?] = (0..<100).map { sin(2 * .pi * Double($0) / 20) }
        let both: [Double?] = (0..<100).map {
            sin(2 * .pi * Double($0) / 20) + cos(2 * .pi * Double($0) / 20)
        }
        #expect(abs(try correlation(both, sine).r - 0.5.squareRoot()) < 1e-12)
        #expect(abs(try correlation(sine.map { $0.map { -$0 } }, sine).r + 1) < 1e-12)
    }

    @Test func otherSpeechIsNoBetterThanShuffledSpeech() throws {
        let found = try correlation(speech(500, seed: 2), speech(500, seed: 3))
        let shuffled = try found.shuffled()
        #expect(abs(found.r) < 0.2)
        #expect(shuffled.p > 0.05)
        #expect(shuffled.greatest > found.r)
    }

    @Test(arguments: [-4, 3]) func aMouthThatIsLateHasALag(frames: Int) throws {
        let curve = speech(220, seed: 4)
        let generated = Array(curve[(10 - frames)..<(210 - frames)])
        #expect(try correlation(generated, Array(curve[10..<210])).lag() == frames)
        #expect(try correlation(curve, curve).lag() == 0)
    }

    /// A speaker who is nearer in one clip than in another is not thereby followed.
    @Test func whatDiffersFromClipToClipDoesNotCount() throws {
        func clip(_ seed: UInt64, level: Double) -> CurveCorrelation.Clip {
            .init(
                generated: speech(100, seed: seed).map { $0.map { $0 + level } },
                reference: speech(100, seed: seed + 50).map { $0.map { $0 + level } })
        }
        let clips = [clip(5, level: 0), clip(6, level: 10), clip(7, level: -10)]
        let found = try CurveCorrelation(clips)
        #expect(found.frames == 300)
        #expect(abs(found.r) < 0.2)
    }

    /// Sentences that begin and end in silence are alike: only other sentences tell what that is worth.
    @Test func ofManyClipsEachGetsTheReferenceOfAnother() throws {
        func sentence(_ seed: UInt64) -> [Double?] {
            let words = speech(50, seed: seed).map { ($0 ?? 0) + 1 }
            return Array(repeating: 0, count: 13) + words + Array(repeating: 0, count: 12)
        }
        let own = try CurveCorrelation(
            (0..<8).map { .init(generated: sentence($0), reference: sentence($0)) }
        ).shuffled()
        #expect(own.count == 1000)
        #expect(own.p == 1.0 / 1001)
        #expect(own.mean > 0.8)
        let other = try CurveCorrelation(
            (0..<8).map { .init(generated: sentence($0), reference: sentence($0 + 20)) })
        #expect(other.r > 0.8)
        #expect(try other.shuffled().p > 0.05)
        // The same again.
        #expect(try other.shuffled().p == other.shuffled().p)
    }

    /// A clip of which nothing can be compared changes neither r nor what chance makes of it.
    @Test func aClipWithoutAnyFaceTellsNothing() throws {
        let clips = (0..<8).map { number in
            CurveCorrelation.Clip(
                generated: speech(60, seed: number), reference: speech(60, seed: number + 20))
        }
        let faceless = CurveCorrelation.Clip(
            generated: [Double?](repeating: nil, count: 60),
            reference: speech(60, seed: 9).map { ($0 ?? 0) + 5 })
        let found = try CurveCorrelation(clips), more = try CurveCorrelation(clips + [faceless])
        #expect(more.r == found.r)
        #expect(try more.shuffled().p == found.shuffled().p)
        #expect(try more.shuffled().greatest == found.shuffled().greatest)
    }

    @Test func framesWithoutAFaceAreLeftOut() throws {
        let curve = speech(200, seed: 8)
        var generated = curve, reference = curve
        for frame in 20..<40 { generated[frame] = nil }
        for frame in 30..<60 { reference[frame] = nil }
        let found = try correlation(generated, reference)
        #expect(found.frames == 160)
        #expect(abs(found.r - 1) < 1e-12)
        #expect(try found.shuffled().p == 1.0 / 152)
    }

    @Test func curvesThatSayNothingAreErrors() throws {
        let curve = speech(60, seed: 9)
        let flat = #expect(throws: LoopyError.self) {
            try correlation([Double?](repeating: 0.3, count: 60), curve)
        }
        #expect(flat?.message.contains("does not move") == true)
        let short = #expect(throws: LoopyError.self) {
            try correlation(Array(curve.prefix(24)), curve)
        }
        #expect(short?.message.contains("24 frames") == true)
        // Long enough for r, and too short to be shifted.
        let few = try correlation(Array(curve.prefix(40)), curve)
        #expect(throws: LoopyError.self) { try few.shuffled() }
    }
}

/// The metric `mouth` on videos.
@Suite struct MouthTests {
    /// The report of pairs of videos that are made from one recording of speech.
    private func report(_ pairs: [(name: String, generated: String, reference: String)]) throws
        -> MetricsReport
    {
        let folder = try Folder()
        for part in ["generated", "reference"] {
            try FileManager.default.createDirectory(
                atPath: folder.file(part), withIntermediateDirectories: true)
        }
        for (name, generated, reference) in pairs {
            for (part, filters) in [("generated", generated), ("reference", reference)] {
                _ = try folder.video(
                    "\(part)/\(name).mp4", of: "obama_speech.mp4", seconds: 3,
                    filters: "fps=25," + filters)
            }
        }
        let settings = try Configuration.read(
            MetricsSettings(), section: ["evaluate"], file: nil,
            overrides: ["evaluate.fid=none", "evaluate.fvd=none", "evaluate.sync=none"])
        return try MetricsRun(
            generated: folder.file("generated"), reference: folder.file("reference"),
            output: folder.file("metrics.json"), settings: settings, threads: 1
        ).run {}
    }

    @Test func aSmallVideoFollowsTheLargeOneAndAReversedOneDoesNot() throws {
        let square = "crop=240:240:40:0"
        let report = try report([
            ("other", square + ",scale=128:128,reverse", square),
            ("same", square + ",scale=128:128", square),
            ("without", "crop=32:32:0:0,scale=128:128", square),
        ])
        #expect(report.failures.isEmpty)
        let (other, same, without) = (report.generated[0], report.generated[1], report.generated[2])
        #expect(same.values["face_found"]?.value == 1)
        #expect((same.values["mouth_r"]?.value ?? 0) > 0.8)
        #expect(same.values["mouth_lag"]?.value == 0)
        #expect((same.values["mouth_p"]?.value ?? 1) == 1.0 / 27)
        #expect((other.values["mouth_r"]?.value ?? 1) < 0.4)
        #expect((other.values["mouth_p"]?.value ?? 0) > 0.1)
        // No face at all is a share of 0, and no correlation.
        #expect(without.values["face_found"]?.value == 0)
        #expect(without.values["mouth_r"] == nil)
        #expect(without.absent["mouth_r"]?.contains("0 frames") == true)
        let figures = Dictionary(uniqueKeysWithValues: report.figures.map { ($0.name, $0) })
        #expect(abs((figures["face_found"]?.value ?? 0) - 2.0 / 3) < 0.01)
        #expect(figures["mouth_r"]?.frames == 150)
    }
}
