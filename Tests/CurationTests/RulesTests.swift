import Curation
import Dataset
import Errors
import Foundation
import Settings
import Storage
import TestSupport
import Testing

@Suite struct RulesTests {
    /// Values that keep every default rule.
    private var good: Metrics {
        var metrics = Metrics.unmeasured
        let values: [Metric: Double] = [
            .duration: 5, .damaged: 0, .faceWidth: 200, .faceHeight: 250, .presence: 1,
            .otherFaces: 0, .completeness: 1, .rotation: 0, .movement: 0.1, .movementMaximum: 0.5,
            .sharpness: 8,
            .brightness: 0.5, .sound: 1, .speech: 0.9, .mouthInSpeech: 0.5, .speaker: 1,
        ]
        for (metric, value) in values { metrics[metric] = value }
        return metrics
    }

    @Test func goodValuesKeepEveryRule() {
        let (broken, notApplied) = Rules().judge(good)
        #expect(broken == nil)
        // Nothing measures lip-sync: said, not passed over.
        #expect(notApplied == [.syncConfidence, .syncOffset])
    }

    @Test func limitsAreInclusive() {
        var metrics = good
        metrics[.duration] = 3
        metrics[.rotation] = 0.3
        #expect(Rules().judge(metrics).broken == nil)
        metrics[.rotation] = 0.300001
        let broken = Rules().judge(metrics).broken
        #expect(broken?.metric == .rotation)
        #expect(broken?.value == 0.300001)
        #expect(broken?.limit == 0.3)
        metrics[.duration] = 2.96
        #expect(Rules().judge(metrics).broken?.metric == .duration)
        #expect(Rules().judge(metrics).broken?.limit == 3)
    }

    @Test func everyDefaultRuleRejects() {
        for (metric, limits) in Rules().applied {
            for (limit, step) in [(limits.minimum, -1e-3), (limits.maximum, 1e-3)] {
                guard let limit else { continue }
                var metrics = good
                metrics[metric] = limit
                #expect(Rules().judge(metrics).broken == nil, "\(metric) at its limit")
                metrics[metric] = limit + step
                #expect(Rules().judge(metrics).broken?.metric == metric)
                #expect(Rules().judge(metrics).broken?.limit == limit)
            }
        }
    }

    @Test func theFirstRuleInOrderIsNamed() {
        var metrics = good
        metrics[.speech] = 0
        metrics[.faceHeight] = 10
        metrics[.sharpness] = 0
        #expect(Rules().judge(metrics).broken?.metric == .faceHeight)
    }

    @Test func aRuleWithoutValueIsNotApplied() {
        var metrics = good
        metrics[.mouthInSpeech] = nil
        let (broken, notApplied) = Rules().judge(metrics)
        #expect(broken == nil)
        #expect(notApplied == [.mouthInSpeech, .syncConfidence, .syncOffset])
    }

    private func read(_ text: String, overrides: [String] = []) throws -> SelectSettings {
        try withFolder { folder in
            let path = folder + "/rules.yaml"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return try Configuration.read(
                SelectSettings(), section: ["select"], file: path, overrides: overrides)
        }
    }

    @Test func filesChangeOneLimitAndTurnRulesOff() throws {
        let text = """
            select:
              rules:
                duration: { minimum: null }
                brightness: { maximum: 0.8 }
                yaw_maximum: { maximum: 40 }
            """
        let rules = try read(text, overrides: ["select.rules.speaker.minimum=null"]).rules
        var expected = Rules()
        expected[.duration].minimum = nil
        expected[.brightness].maximum = 0.8
        expected[.yawMaximum].maximum = 40
        expected[.speaker].minimum = nil
        #expect(rules == expected)
        #expect(!rules.applied.contains { $0.metric == .duration || $0.metric == .speaker })
        var short = good
        short[.duration] = 0.1
        #expect(rules.judge(short).broken == nil)
    }

    @Test(arguments: [
        ("select: { rules: { roation: { maximum: 1 } } }", "did you mean 'rotation'?"),
        ("select: { rules: { rotation: { max: 1 } } }", "unknown setting 'max'"),
        ("select: { rules: { rotation: { maximum: much } } }", "rules.rotation.maximum"),
        ("select: { rules: { rotation: 0.3 } }", "rules.rotation"),
        ("select: { clips: { outside: keep } }", "clips.outside"),
    ])
    func filesThatAreWrongAreNamed(text: String, message: String) {
        let error = #expect(throws: LoopyError.self) { try read(text) }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// What the pipeline files of the project say must be readable.
    @Test func thePipelinesOfTheProjectAreRead() throws {
        let folder = Place.package + "/Pipelines"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!names.isEmpty)
        for name in names where name.hasSuffix(".yaml") {
            let file = folder + "/" + name
            _ = try Configuration.read(SelectSettings(), section: ["select"], file: file)
            _ = try Configuration.read(MeasureSettings(), section: ["measure"], file: file)
            _ = try Configuration.read(CropSettings(), section: ["crop"], file: file)
        }
    }
}

@Suite struct SplitTests {
    private func sources(_ count: Int, identity: (Int) -> String? = { _ in nil }) -> [Source] {
        (0..<count).map { index in
            var source = Source(
                digest: Digest.of("source \(index)"), path: "/\(index)", bytes: 0, modified: 0)
            source.identity = identity(index)
            return source
        }
    }

    @Test func sharesAreAboutRight() {
        var settings = SplitSettings()
        (settings.val, settings.test) = (0.1, 0.05)
        let splits = sources(10_000).map { settings.split(of: $0.digest) }
        #expect(abs(splits.count { $0 == .val } - 1000) < 100)
        #expect(abs(splits.count { $0 == .test } - 500) < 75)
    }

    @Test func anIdentityIsNeverParted() {
        var settings = SplitSettings()
        (settings.val, settings.test) = (0.3, 0.3)
        let all = sources(1000) { "person \($0 % 50)" }
        var groups = SplitGroups(all, links: [])
        let names = Dictionary(
            uniqueKeysWithValues: all.indices.map { (all[$0].digest, groups.name(of: $0)) })
        func split(_ source: Source) -> Decision.Split {
            settings.split(of: names[source.digest] ?? "")
        }
        let byPerson = Dictionary(grouping: all, by: \.identity)
        for (_, sources) in byPerson {
            #expect(Set(sources.map { split($0) }).count == 1)
        }
        #expect(Set(all.map { split($0) }).count == 3)
    }

    @Test func largerSharesOnlyTakeFromTraining() {
        var small = SplitSettings()
        var large = SplitSettings()
        (small.val, small.test) = (0.1, 0.1)
        (large.val, large.test) = (0.2, 0.1)
        for source in sources(2000).map(\.digest) {
            let (before, after) = (small.split(of: source), large.split(of: source))
            #expect(before == after || (before == .train && after == .val))
        }
        // What a source is does not depend on the others, nor on the run.
        #expect(small.split(of: sources(3)[2].digest) == small.split(of: sources(2000)[2].digest))
    }

    @Test func noSharesGiveTrainingAlone() {
        var settings = SplitSettings()
        (settings.val, settings.test) = (0, 0)
        func splits() -> Set<Decision.Split> {
            Set(sources(1000).map { settings.split(of: $0.digest) })
        }
        #expect(splits() == [.train])
        settings.test = 1
        #expect(splits() == [.test])
    }
}
