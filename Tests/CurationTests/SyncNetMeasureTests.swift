import Curation
import Dataset
import Foundation
import Storage
import TestSupport
import Testing
import Weights

@Suite struct SyncNetMeasureTests {
    /// SyncNet of full size with random weights: its values say nothing, but are values.
    private func writeRandomSyncNet(to path: String) throws {
        var generator = SplitMix(state: 1)
        var entries: [SafeTensors.Entry] = []
        func add(_ name: String, _ shape: [Int], around middle: Float, _ spread: Float) {
            let values = (0..<shape.reduce(1, *)).map { _ in
                middle + spread * Float(Int64(bitPattern: generator.next())) / Float(Int64.max)
            }
            entries.append(
                SafeTensors.Entry(name, .float32, shape: shape) { body in
                    try values.withUnsafeBytes { try body($0) }
                })
        }
        func norm(_ name: String, _ channels: Int) {
            add(name + ".weight", [channels], around: 1, 0.1)
            add(name + ".bias", [channels], around: 0, 0.1)
            add(name + ".running_mean", [channels], around: 0, 0.1)
            add(name + ".running_var", [channels], around: 1, 0.1)
        }
        func convolution(_ sequence: String, _ place: Int, _ shape: [Int]) {
            let fanIn = Float(shape[1...].reduce(1, *))
            add("\(sequence).\(place).weight", shape, around: 0, (3 / fanIn).squareRoot())
            add("\(sequence).\(place).bias", [shape[0]], around: 0, 0.1)
            norm("\(sequence).\(place + 1)", shape[0])
        }
        for (place, shape) in [
            (0, [96, 3, 5, 7, 7]), (4, [256, 96, 1, 5, 5]), (8, [256, 256, 1, 3, 3]),
            (11, [256, 256, 1, 3, 3]), (14, [256, 256, 1, 3, 3]), (18, [512, 256, 1, 6, 6]),
        ] { convolution("netcnnlip", place, shape) }
        for (place, shape) in [
            (0, [64, 1, 3, 3]), (4, [192, 64, 3, 3]), (8, [384, 192, 3, 3]),
            (11, [256, 384, 3, 3]), (14, [256, 256, 3, 3]), (18, [512, 256, 5, 4]),
        ] { convolution("netcnnaud", place, shape) }
        for head in ["netfclip", "netfcaud"] {
            add(head + ".0.weight", [512, 512], around: 0, 0.08)
            add(head + ".0.bias", [512], around: 0, 0.1)
            norm(head + ".1", 512)
            add(head + ".3.weight", [1024, 512], around: 0, 0.08)
            add(head + ".3.bias", [1024], around: 0, 0.1)
        }
        let file = try OutputFile(path)
        try SafeTensors.write(entries) { try file.write($0) }
        try file.commit()
    }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    @Test func syncNetsWeightsFillItsMetricsAndItsRuleAndTheDelayFollow() throws {
        try withFolder { folder in
            let weights = folder + "/syncnet_v2.model"
            try writeRandomSyncNet(to: weights)
            let dataset = DatasetDirectory(folder + "/d")
            _ = try Ingest(dataset, settings: IngestSettings()).run(
                [Place.sample("WolfgangLanger_Pexels.mp4")])
            func measure(_ lipSync: String) throws -> [String] {
                var settings = MeasureSettings()
                settings.lipSync = lipSync
                let stage = try MeasureStage(dataset, settings: settings, threads: 2)
                for unit in stage.pending() {
                    try stage.build(unit)
                }
                #expect(try stage.finish() == [])
                return try Catalogue.read(dataset).measurements.map { Array($0.networks.keys) }
                    ?? []
            }
            func select(_ change: (inout Rules) -> Void) throws -> [Decision] {
                var settings = SelectSettings()
                var rules = Rules()
                for (metric, _) in rules.applied { rules[metric] = Limits() }
                change(&rules)
                settings.rules = rules
                settings.clips.outside = .pad
                _ = try Selector(dataset, settings: settings).run()
                return try dataset.selection()
            }

            #expect(try !measure("none").contains("syncnet"))
            let without = try select { $0[.syncNetConfidence].minimum = 3 }
            #expect(try Catalogue.read(dataset).rulesNotApplied == ["syncnet_confidence"])
            #expect(without.first?.notApplied == ["syncnet_confidence"])
            #expect(without.first?.audioDelay == nil)

            #expect(try measure(weights).contains("syncnet"))
            let accepted = try select { $0[.syncNetConfidence].minimum = -1 }
            let metrics = try #require(accepted.first?.metrics)
            let offset = try #require(metrics[.syncNetOffset])
            #expect((-15...15).contains(offset))
            #expect(metrics[.syncNetConfidence]! >= 0)  // measured, or the rule would not apply
            #expect(metrics[.syncNetDistance]! > 0)
            #expect(accepted.first?.audioDelay == (abs(offset) < 1.5 ? 0 : Int(offset)))
            #expect(accepted.first?.notApplied == [])
            #expect(try Catalogue.read(dataset).rulesNotApplied == [])

            let rejected = try select { $0[.syncNetConfidence].minimum = 1e6 }
            #expect(rejected.first?.rule == "syncnet_confidence")
        }
    }
}
