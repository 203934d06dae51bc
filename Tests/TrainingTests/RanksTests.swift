import Errors
import LoopyModel
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Training
import Weights

/// Ranks that train together, on threads of this process.
@Suite(.serialized)
struct RanksTests {
    /// Trains as a number of ranks, and gives the losses of rank 0.
    private func train(
        _ settings: TrainingSettings, _ folder: String, _ name: String, ranks: Int,
        steps: Int = .max, resuming: Bool = false
    ) throws -> [Double] {
        let results = try inRanks(ranks) { group in
            let trainer = try group.together {
                try Trainer(
                    settings, TrainingSource(folder + "/shards"),
                    RunDirectory(folder + "/" + name), group, resuming: resuming)
            }
            try trainer.synchronise()
            var losses: [Double] = []
            while !trainer.isFinished, losses.count < steps { losses.append(try trainer.step()) }
            try trainer.save()
            return losses
        }
        let losses = try results.map { try $0.get() }
        #expect(Set(losses).count == 1, "ranks differ: \(losses)")
        return losses[0]
    }

    private func expectClose(
        _ a: [Double], _ b: [Double], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(a.count == b.count, sourceLocation: sourceLocation)
        for (a, b) in zip(a, b) {
            #expect(abs(a - b) < 1e-5, "\(a) \(b)", sourceLocation: sourceLocation)
        }
    }

    private func optimiserNames(_ folder: String, _ name: String, step: Int) throws -> Set<String> {
        Set(
            try Checkpoint(
                RunDirectory(folder + "/" + name).checkpoint(step) + "/optimiser.safetensors"
            ).names)
    }

    @Test(arguments: [
        // batch size, processors, gigabytes, processes
        (2, 2, 24, 2), (2, 16, 64, 2), (3, 2, 24, 1), (12, 8, 64, 6), (16, 8, 13, 2), (4, 4, 2, 1),
    ])
    func aMachineTrainsInAsManyProcessesAsShareABatch(
        batch: Int, processors: Int, gigabytes: Int, expected: Int
    ) throws {
        var settings = TrainingSettings()
        settings.model = .small
        settings.batchSize = batch
        #expect(try settings.processes(on: processors, gigabytes << 30) == expected)
        settings.device = "cuda"
        #expect(try settings.processes(on: processors, gigabytes << 30) == 1)
        // Two of the paper's model have no place there.
        settings.device = "cpu"
        settings.model = .sd15
        #expect(try settings.processes(on: processors, gigabytes << 30) == 1)
    }

    @Test(arguments: LoopyConfiguration.Stage.allCases)
    func ranksComeToTheLossesOfOne(stage: LoopyConfiguration.Stage) throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = try TrainingSettings.forTests(stage, teacherIn: folder)
            settings.batchSize = 4
            settings.steps = 4
            settings.validation.every = 2
            // Some ranks get no reference, and weights are not alike.
            settings.masks.reference = 0.5
            settings.mouthWeight = 4
            if stage == .video {
                settings.model.motionLatents.mouthHead = true
                settings.mouthShapeWeight = 0.1
                settings.masks.audio = 0.5
            }
            let one = try train(settings, folder, "one", ranks: 1)
            for ranks in [2, 4] {
                expectClose(try train(settings, folder, "\(ranks)", ranks: ranks), one)
                let lines = try ["one", "\(ranks)"].map {
                    try JSONLines.read(
                        MetricsLine.self, from: "\(folder)/\($0)/metrics.jsonl")
                }
                #expect(lines[0].map(\.step) == lines[1].map(\.step))
                for (a, b) in zip(lines[0], lines[1]) {
                    for (name, loss) in a.validation ?? [:] {
                        #expect(abs(loss - (b.validation?[name] ?? 0)) < 1e-5, "\(name)")
                    }
                }
            }
            settings.optimiser.sharded = true
            expectClose(try train(settings, folder, "sharded", ranks: 2), one)
        }
    }

    @Test func aCheckpointGoesOnWithAnotherNumberOfRanks() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.batchSize = 4
            settings.gradientAccumulation = 2
            let one = try train(settings, folder, "one", ranks: 1)
            var parts = try train(settings, folder, "parts", ranks: 2, steps: 2)
            settings.optimiser.sharded = true
            parts += try train(settings, folder, "parts", ranks: 4, steps: 2, resuming: true)
            parts += try train(settings, folder, "parts", ranks: 1, resuming: true)
            expectClose(parts, one)
        }
    }

    @Test func weightsThatNoRankUsesStayAsTheyAre() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.batchSize = 2
            settings.steps = 1
            settings.masks.reference = 1
            for (name, ranks) in [("one", 1), ("two", 2)] {
                _ = try train(settings, folder, name, ranks: ranks)
            }
            let names = try optimiserNames(folder, "one", step: 1)
            #expect(!names.contains { $0.hasPrefix("reference_net.") && $0.hasSuffix("avg") })
            #expect(try optimiserNames(folder, "two", step: 1) == names)
        }
    }

    @Test func gradientsMayTravelInBfloat16() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.batchSize = 2
            let exact = try train(settings, folder, "exact", ranks: 2)
            settings.reducePrecision = .bfloat16
            let short = try train(settings, folder, "short", ranks: 2)
            #expect(short != exact)
            for (a, b) in zip(short, exact) { #expect(abs(a - b) < 0.02 * b) }
            settings.optimiser.sharded = true
            let sharded = try train(settings, folder, "sharded", ranks: 2)
            for (a, b) in zip(sharded, exact) { #expect(abs(a - b) < 0.02 * b) }
        }
    }

    @Test func aBatchThatCannotBeSharedOutIsRefused() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.batchSize = 3
            settings.gradientAccumulation = 2
            let error = #expect(throws: LoopyError.self) {
                _ = try train(settings, folder, "run", ranks: 2)
            }
            #expect(error?.category == .configuration)
            #expect(
                error?.message.contains("batch_size: 2 and gradient_accumulation: 3") == true)
        }
    }
}
