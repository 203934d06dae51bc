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

/// Runs that learn from a run of the second stage to sample in few steps.
@Suite(.serialized)
struct DistilledRunTests {
    private func train(
        _ settings: TrainingSettings, _ folder: String, _ name: String, steps: Int = .max,
        resuming: Bool = false
    ) throws -> [Double] {
        let trainer = try Trainer(
            settings, TrainingSource(folder + "/shards"), RunDirectory(folder + "/" + name),
            resuming: resuming)
        var losses: [Double] = []
        while !trainer.isFinished, losses.count < steps { losses.append(try trainer.step()) }
        if !trainer.isFinished { try trainer.save() }
        return losses
    }

    private func withTeacher(_ body: (String, TrainingSettings) throws -> Void) throws {
        try withFolder { folder in
            try writeTrainingShards(folder)
            try body(folder, .forTests(.distilled, teacherIn: folder))
        }
    }

    @Test("a distilled run that is resumed in either phase is the run that was not stopped")
    func resumedRunsAreTheSame() throws {
        try withTeacher { folder, settings in
            let whole = try train(settings, folder, "whole")
            for stop in [2, 4] {
                let name = "parts\(stop)"
                let first = try train(settings, folder, name, steps: stop)
                let second = try train(settings, folder, name, resuming: true)
                #expect(first + second == whole)
                for file in ["model", "averages", "optimiser"] {
                    let path = "/checkpoints/step-00000006/\(file).safetensors"
                    #expect(
                        try Digest.ofFile(folder + "/whole" + path)
                            == Digest.ofFile(folder + "/" + name + path), "\(file)")
                }
                let lines = try ["whole", name].map {
                    try JSONLines.read(MetricsLine.self, from: "\(folder)/\($0)/metrics.jsonl")
                        .compactMap(\.validation)
                }
                #expect(lines[0] == lines[1])
                #expect(lines[0].map { Array($0.keys) } == [["to_teacher"], ["to_teacher"]])
            }
        }
    }

    @Test func itBeginsWithItsTeacherAndSaysWhatItIs() throws {
        try withTeacher { folder, settings in
            _ = try train(settings, folder, "run")
            let run = RunDirectory(folder + "/run")
            let teacher = try TrainedModel(RunDirectory(folder + "/teacher"))
            let facts = try #require(try run.description().teacher)
            #expect(facts.step == 6 && facts.path == folder + "/teacher")
            #expect(try facts.weights == teacher.digests())

            let trained = try TrainedModel(run)
            try Export.write(trained, to: folder + "/out", isForDiffusers: false)
            for description in [
                trained.description, try TrainedModel(folder: folder + "/out").description,
            ] {
                #expect(description.model.stage == .distilled)
                #expect(description.model.distilledSteps == 2)
                #expect(description.sampling == .distilled(steps: 2))
            }
            // The first step's learning rate is half of 1e-3: no weight is further from the teacher's than that
            // and what weight decay takes.
            let first = try train(settings, folder, "first", steps: 1)
            #expect(first[0] > 0)
            let weights = try Checkpoint(
                RunDirectory(folder + "/first").checkpoint(1) + "/model.safetensors")
            for (name, before) in try teacher.weights() {
                let after = Tensor(try #require(weights.tensor(name)))
                #expect((after - before).abs().amax().scalar < 6e-4, "\(name)")
            }
        }
    }

    @Test func whatCannotBeDistilledIsSaid() throws {
        try withTeacher { folder, settings in
            func message(
                _ run: String = UUID().uuidString, resuming: Bool = false,
                _ change: (inout TrainingSettings) throws -> Void
            ) throws -> String {
                var settings = settings
                try change(&settings)
                let error = #expect(throws: LoopyError.self) {
                    _ = try train(settings, folder, run, resuming: resuming)
                }
                return error?.message ?? ""
            }
            #expect(try message { $0.initialWeights.model = "" }.contains("--first-stage"))
            #expect(try message { $0.model.heads = 1 }.contains("of another shape"))
            #expect(
                try message { $0.schedule.betaEnd = 0.013 }.contains("was trained with the noise"))
            #expect(try message { $0.steps = 3 }.contains("train.distillation.guidance_steps: 3"))
            #expect(
                try message { $0.distillation.solverSteps = 5 }.contains("solver_steps: 5 is no"))
            #expect(
                try message { $0.sampling.numInferenceSteps = 9 }.contains("train.sampling: a"))
            #expect(try message { $0.mouthShapeWeight = 1 }.contains("mouth_shape_weight"))
            #expect(
                try message { $0.initialWeights.stableDiffusion = "sd15" }.contains("set model"))

            var first = TrainingSettings.forTests(.image)
            first.validation.windows = 0
            _ = try train(first, folder, "image")
            #expect(
                try message { $0.initialWeights.firstStage = folder + "/image" }.contains(
                    "is of the stage image"))

            // A run goes on with the teacher that it had.
            _ = try train(settings, folder, "run", steps: 2)
            var longer = TrainingSettings.forTests(.video)
            longer.steps = 7
            longer.validation.windows = 0
            _ = try train(longer, folder, "teacher", resuming: true)
            #expect(
                try message("run", resuming: true) { _ in }.contains(
                    "another model as its teacher"))
        }
    }

    @Test func aFinishedRunNeedsItsTeacherNoMore() throws {
        try withTeacher { folder, settings in
            _ = try train(settings, folder, "run")
            try FileManager.default.removeItem(atPath: folder + "/teacher")
            let run = RunDirectory(folder + "/run")
            let source = try TrainingSource(folder + "/shards")
            #expect(try run.obstacle(to: settings, source) == nil)
            _ = try TrainedModel(run).load(on: .cpu)
        }
    }
}
