import Errors
import Foundation
import LoopyModel
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Training
import Weights

/// Runs of a very small model on shards of numbers.
@Suite(.serialized)
struct TrainerTests {
    private func train(
        _ settings: TrainingSettings, _ folder: String, _ name: String, steps: Int? = nil,
        resuming: Bool = false
    ) throws -> [Double] {
        let source = try TrainingSource(folder + "/shards")
        let run = RunDirectory(folder + "/" + name)
        let trainer = try Trainer(settings, source, run, resuming: resuming)
        var losses: [Double] = []
        while !trainer.isFinished, losses.count < steps ?? .max {
            losses.append(try trainer.step())
        }
        if !trainer.isFinished { try trainer.save() }
        return losses
    }

    private func metrics(_ folder: String, _ name: String) throws -> [MetricsLine] {
        try JSONLines.read(MetricsLine.self, from: "\(folder)/\(name)/metrics.jsonl")
    }

    @Test("a run that is resumed is the run that was not stopped, bit for bit", arguments: [1, 4])
    func resumedRunsAreTheSame(stop: Int) throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            let settings = TrainingSettings.forTests()
            let whole = try train(settings, folder, "whole")
            let first = try train(settings, folder, "parts", steps: stop)
            let second = try train(settings, folder, "parts", resuming: true)
            #expect(first + second == whole)
            for name in ["model", "averages", "optimiser"] {
                let path = "/checkpoints/step-00000006/\(name).safetensors"
                #expect(
                    try Digest.ofFile(folder + "/whole" + path)
                        == Digest.ofFile(folder + "/parts" + path), "\(name)")
            }
            let lines = try (metrics(folder, "whole"), metrics(folder, "parts"))
            #expect(lines.0.map(\.loss) == lines.1.map(\.loss))
            #expect(lines.0.compactMap(\.validation) == lines.1.compactMap(\.validation))
        }
    }

    @Test func aRunGoesOnWhenTheDataChange() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests()
            let description = { try RunDirectory(folder + "/run").description() }
            let weights = { (step: Int) in
                try Digest.ofFile(
                    folder + "/run/checkpoints/step-0000000\(step)/model.safetensors")
            }
            _ = try train(settings, folder, "run", steps: 2)
            #expect(try description().dataChanges == [])

            // A shard more: the second is a clip longer than the first's.
            try writeTrainingShard(
                folder + "/shards/train-00001.tar", [("train", 3), ("train", 4)])
            #expect(try train(settings, folder, "run", steps: 2, resuming: true).count == 2)
            let grown = RunDescription.DataChange(
                step: 2, epoch: 1, change: "2 shards instead of 1, 1 of them as they were")
            #expect(try description().dataChanges == [grown])
            let after = try weights(4)

            // The same from the same checkpoint, and bit for bit from the next one.
            try FileManager.default.removeItem(atPath: folder + "/run/checkpoints/step-00000004")
            _ = try train(settings, folder, "run", steps: 2, resuming: true)
            #expect(try description().dataChanges == [grown])
            #expect(try weights(4) == after)

            // Windows are drawn otherwise.
            settings.data.shuffle = 3
            _ = try train(settings, folder, "run", resuming: true)
            let changes = try description().dataChanges
            #expect(changes.map(\.step) == [2, 4])
            #expect(changes.last?.change == "data.shuffle 3 instead of 8")
            #expect(try description().settings.data.shuffle == 3)
            #expect(try metrics(folder, "run").map(\.step) == Array(1...6))
        }
    }

    @Test func accumulatedBatchesAreOneBatch() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            for stage in LoopyConfiguration.Stage.allCases {
                var settings = try TrainingSettings.forTests(stage, teacherIn: folder)
                settings.batchSize = 4
                let batches = try train(settings, folder, "batch-\(stage)")
                (settings.batchSize, settings.gradientAccumulation) = (1, 4)
                let parts = try train(settings, folder, "parts-\(stage)")
                for (a, b) in zip(batches, parts) {
                    #expect(abs(a - b) < 1e-5 * a, "\(batches) \(parts)")
                }
            }
        }
    }

    @Test func theLossCurveIsWhatItWas() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            let losses = try train(TrainingSettings.forTests(), folder, "golden")
            let golden = Self.golden
            #expect(losses.count == golden.count)
            // Steps differ by some per cent. Rounding, which depends on the processor, is far below that, but
            // AdamW makes full steps of the smallest gradients.
            for (a, b) in zip(losses, golden) { #expect(abs(a - b) < 1e-3 * b, "\(losses)") }
            let last = try #require(try metrics(folder, "golden").last)
            #expect(
                Set(last.validation?.keys.map { $0 } ?? [])
                    == ["all", "no_audio", "no_motion_frames", "no_reference"])
        }
    }

    private static let golden = [
        1.0935109, 1.0905722, 1.0635422, 1.0324260, 1.0291619, 1.0208696,
    ]

    @Test func theSecondStageBeginsWithTheFirst() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            _ = try train(TrainingSettings.forTests(.image), folder, "first")
            var second = TrainingSettings.forTests()
            second.initialWeights.firstStage = folder + "/first"
            second.frozen = ["reference_net."]
            _ = try train(second, folder, "second")
            let first = try Checkpoint(
                folder + "/first/checkpoints/step-00000006/averages.safetensors")
            let later = try Checkpoint(
                folder + "/second/checkpoints/step-00000006/model.safetensors")
            var (kept, changed) = (0, 0)
            for name in first.names {
                let (before, after) = (first.tensor(name)!, later.tensor(name)!)  // names of both
                let isSame = Tensor(before).isEqual(to: Tensor(after))
                if name.hasPrefix("reference_net.") { #expect(isSame, "\(name)") }
                if isSame { kept += 1 } else { changed += 1 }
            }
            #expect(kept > 20 && changed > 20)
        }
    }

    /// Averages are of the weights that are trained.
    @Test func theSecondStageTakesWhatTheFirstDidNotTrain() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var first = TrainingSettings.forTests(.image)
            first.frozen = ["reference_net."]
            _ = try train(first, folder, "first", steps: 1)
            var second = TrainingSettings.forTests()
            (second.seed, second.frozen) = (first.seed + 1, first.frozen)
            second.initialWeights.firstStage = folder + "/first"
            _ = try train(second, folder, "second", steps: 1)
            let weights = try ["first", "second"].map {
                try Checkpoint("\(folder)/\($0)/checkpoints/step-00000001/model.safetensors")
            }
            let names = weights[0].names.filter { $0.hasPrefix("reference_net.") }
            #expect(names.count > 20)
            for name in names {
                // both are of that net
                let (before, after) = (weights[0].tensor(name)!, weights[1].tensor(name)!)
                #expect(Tensor(before).isEqual(to: Tensor(after)), "\(name)")
            }
        }
    }

    @Test func exportedWeightsHaveThePublishedNames() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            _ = try train(TrainingSettings.forTests(), folder, "run")
            try Export.write(TrainedModel(RunDirectory(folder + "/run")), to: folder + "/out")
            let plain = try Checkpoint(folder + "/out/unet/diffusion_pytorch_model.safetensors")
            #expect(plain.names.contains("down_blocks.0.resnets.0.conv1.weight"))
            #expect(!plain.names.contains { $0.contains("clip") || $0.contains("audio") })
            let whole = try Checkpoint(folder + "/out/model.safetensors")
            let averages = try Checkpoint(
                folder + "/run/checkpoints/step-00000006/averages.safetensors")
            #expect(Set(whole.names) == Set(averages.names))
            // It is the run's model, read back.
            let exported = try TrainedModel(folder: folder + "/out")
            #expect(exported.description.model == TrainingSettings.forTests().model)
            #expect(exported.description.step == 6)
            let again = try exported.weights()
            for (name, tensor) in try TrainedModel(RunDirectory(folder + "/run")).weights() {
                let other = again.first { $0.name == name }?.tensor
                #expect(other?.isEqual(to: tensor) == true, "\(name)")
            }
            _ = try exported.load(on: .cpu)
        }
    }

    @Test func onlyTheNewestCheckpointsAreKept() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.checkpoints.every = 1
            settings.checkpoints.keep = 2
            _ = try train(settings, folder, "run")
            // What a run that was killed left half-written is skipped.
            try OutputFile.write([1], to: folder + "/run/checkpoints/partial-7/model.safetensors")
            #expect(RunDirectory(folder + "/run").steps() == [5, 6])
            settings.steps = 7
            #expect(try train(settings, folder, "run", resuming: true).count == 1)
        }
    }

    @Test func whatCannotBeTrainedIsSaid() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            func message(_ change: (inout TrainingSettings) -> Void) throws -> String {
                var settings = TrainingSettings.forTests()
                change(&settings)
                let error = #expect(throws: (any Error).self) {
                    _ = try train(settings, folder, UUID().uuidString)
                }
                return error.map { "\($0)" } ?? ""
            }
            #expect(try message { $0.memoryGib = 0.01 }.contains("What would make it fit"))
            #expect(try message { $0.model.latentChannels = 5 }.contains("latents have 4 channels"))
            #expect(
                try message { $0.model.speechLayers = 3 }.contains("speech features are [2, 6]"))
            #expect(try message { $0.frozen = [""] }.contains("train.frozen"))
            #expect(
                try message { $0.gradientAccumulation = 0 }.contains("train.gradient_accumulation"))
            #expect(try message { $0.masks.audio = 2 }.contains("train.masks.audio"))
            let notFinite = try message {
                // Every step multiplies the weights by -9999.
                $0.optimiser.learningRate = 100
                $0.optimiser.weightDecay = 100
                $0.optimiser.warmupSteps = 0
            }
            #expect(notFinite.contains("step ") && notFinite.contains("clips train"))
            #expect(throws: LoopyError.self) { try TrainingSource(folder + "/nothing") }
            // A run goes on as what it was begun as.
            _ = try train(TrainingSettings.forTests(.image), folder, "run")
            func obstacle(_ change: (inout TrainingSettings) -> Void) throws -> String? {
                var settings = TrainingSettings.forTests(.image)
                change(&settings)
                return try RunDirectory(folder + "/run")
                    .obstacle(to: settings, TrainingSource(folder + "/shards"))
            }
            #expect(throws: LoopyError.self) {
                try train(TrainingSettings.forTests(), folder, "run", resuming: true)
            }
            #expect(try obstacle { $0.frozen = ["reference_net."] } == "other frozen weights")
            #expect(try obstacle { $0.emaDecay = 0 } == nil)
            var plain = TrainingSettings.forTests(.image)
            plain.emaDecay = 0
            _ = try train(plain, folder, "plain")
            func ofPlain(_ steps: Int) throws -> String? {
                var settings = TrainingSettings.forTests(.image)
                settings.steps = steps
                return try RunDirectory(folder + "/plain")
                    .obstacle(to: settings, TrainingSource(folder + "/shards"))
            }
            #expect(try ofPlain(7) == "no average of its weights")
            // It is finished.
            #expect(try ofPlain(6) == nil)
        }
    }

    @Test func theLearningRateGrowsAndFalls() {
        var settings = TrainingSettings()
        settings.steps = 100
        settings.optimiser.learningRate = 1
        settings.optimiser.warmupSteps = 10
        #expect(settings.learningRate(at: 0) == 0.1)
        #expect(settings.learningRate(at: 9) == 1)
        #expect(settings.learningRate(at: 90) == 1)
        settings.optimiser.schedule = .cosine
        #expect(settings.learningRate(at: 9) == 1)
        #expect(abs(settings.learningRate(at: 55) - 0.5) < 1e-9)
        #expect(settings.learningRate(at: 99) < 1e-3)
    }

    @Test func theMouthWeighsMore() {
        // A mouth a fifth of the picture wide, below its middle.
        var points = [Float](repeating: 0, count: 68 * 2)
        for point in 48..<68 {
            let angle = Float(point - 48) / 20 * 2 * .pi
            points[2 * point] = 0.5 - 0.1 * cos(angle)
            points[2 * point + 1] = 0.7 - 0.05 * sin(angle)
        }
        // The corners.
        (points[96], points[97], points[108], points[109]) = (0.4, 0.7, 0.6, 0.7)
        let weights = mouthWeights(
            Tensor(points, shape: [1, 1, 68, 2]), side: 16, weight: 5)
        #expect(weights.shape == [1, 1, 1, 16, 16])
        func weight(_ x: Int, _ y: Int) -> Double { weights[0, 0, 0, y, x].scalar }
        #expect(weight(8, 11) > 4)
        #expect(weight(8, 11) > weight(10, 11) && weight(10, 11) > weight(13, 11))
        #expect(abs(weight(1, 1) - 1) < 1e-3)
    }

    @Test func aFirstStageMayWeighTheMouthAndSampleWhatIsHeldOut() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests(.image)
            settings.mouthWeight = 4
            settings.optimiser.schedule = .cosine
            let losses = try train(settings, folder, "weighted")
            #expect(losses.allSatisfy { $0.isFinite })
            settings.mouthWeight = 1
            #expect(try train(settings, folder, "even") != losses)
        }
    }

    @Test func clipsMayHaveAnotherLengthThanTwelve() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests()
            for frames in [8, 16] {
                settings.model.frames = frames
                let losses = try train(settings, folder, "frames\(frames)", steps: 2)
                #expect(losses.count == 2 && losses.allSatisfy { $0.isFinite })
            }
        }
    }

    /// As generating begins: the portrait is the reference, and all frames before the clip.
    @Test func aWindowMayBeTakenForTheBeginningOfAVideo() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests()
            let stream = try WindowStream(
                shards: WindowStream.shards(in: folder + "/shards", split: "train"),
                settings: WindowSettings())
            var window = try stream.next()
            while window.history.length(0) == 0 { window = try stream.next() }
            func conditions(_ settings: TrainingSettings) throws -> Conditions {
                try TrainingBatch([window], first: 0, settings: settings, device: .cpu).conditions
            }
            #expect(try conditions(settings).reference[0].isEqual(to: window.reference))
            settings.beginnings = 1
            settings.masks.motionFrames = 1
            let begun = try conditions(settings)
            let last = window.history[window.history.length(0) - 1].to(.float32)
            #expect(begun.reference[0].isEqual(to: last))
            let motion = try #require(begun.motionFrames)
            #expect(motion.isPresent[0].allSatisfy { $0 } && !begun.masks[0].motionFrames)
            for frame in 0..<motion.latents.length(1) {
                #expect(motion.latents[0][frame].isEqual(to: last))
            }
        }
    }

    @Test func noiseOnMotionFramesIsDrawnFromTheSeed() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            var settings = TrainingSettings.forTests()
            // Temporal layers begin as nothing: the noise tells in the second step.
            let clean = try train(settings, folder, "clean")
            settings.motionFrameNoise = 0.5
            let noisy = try train(settings, folder, "noisy")
            #expect(noisy != clean)
            #expect(try train(settings, folder, "again") == noisy)
        }
    }

    @Test func aModelOfTheSameShapeIsAllThatANewOneNeeds() throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            _ = try train(TrainingSettings.forTests(), folder, "first")
            let first = try TrainedModel(RunDirectory(folder + "/first"))
            try Export.write(
                first, to: folder + "/exported", isHalf: true, isForDiffusers: false)
            #expect(!FileManager.default.fileExists(atPath: folder + "/exported/unet"))
            let expected = Dictionary(
                uniqueKeysWithValues: try first.weights().map { ($0.name, $0.tensor) })
            for stage in LoopyConfiguration.Stage.allCases {
                let configuration = TrainingSettings.forTests(stage).model
                let store = ParameterStore(drawing: try Generator(seed: 9))
                _ = try LoopyNet(store.root, configuration)
                try store.loadModel(from: folder + "/exported", for: configuration)
                for (name, weight) in store.parameters {
                    let half = try #require(expected[name]).to(.float16).to(.float32)
                    #expect(weight.isEqual(to: half), "\(name)")
                }
            }
        }
    }
}
