import Diffusion
import Errors
import Foundation
import Runs
import TestSupport
import Testing

/// Runs of earlier versions, whose settings had other names.
@Suite struct EarlierRunTests {
    private let earlier = RunDirectory(
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/earlier-run").path)

    @Test func itsSettingsAreReadUnderTheirPresentNames() throws {
        let settings = try earlier.description().settings
        #expect(settings.batchSize == 2)
        #expect(settings.gradientAccumulation == 1)
        #expect(!settings.gradientCheckpointing)
        #expect(settings.emaDecay == 0.99)
        #expect(settings.initialWeights.firstStage == "stage1")
        #expect(settings.optimiser.warmupSteps == 1)
        #expect(settings.optimiser.maxGradNorm == 0.5)
        #expect(settings.model.channels == [8, 16])
        #expect(settings.schedule.predictionType == .vPrediction)
        #expect(settings.schedule.rescaleBetasZeroSnr)
        #expect(settings.schedule.betaEnd == 0.011)
        #expect(try earlier.description().dataChanges == [])
    }

    @Test func itsCheckpointsAreRead() throws {
        struct State: Decodable { var schedule: NoiseSchedule.Settings }
        #expect(
            try earlier.state(State.self, of: 2).schedule == earlier.description().settings.schedule
        )
        let model = try TrainedModel(earlier).description
        #expect(model.step == 2)
        #expect(
            model.columns.keys.sorted() == ["keypoints", "latents", "motion", "speech", "video"])
    }

    /// Rather than that its default stands for what was trained otherwise.
    @Test func aSettingThatIsNotKnownIsSaid() throws {
        try withFolder { folder in
            var text = try String(contentsOfFile: earlier.path + "/run.json", encoding: .utf8)
            text.replace("\"growth\"", with: "\"growht\"")
            try write(text, to: folder + "/run.json")
            let error = #expect(throws: LoopyError.self) {
                try RunDirectory(folder).description()
            }
            #expect(error?.message.contains("the setting 'schedule.growht'") == true)
        }
    }

    @Test func aSettingThatItDoesNotNameHasItsDefault() throws {
        try withFolder { folder in
            let run = RunDirectory(folder)
            var text = try String(contentsOfFile: earlier.path + "/run.json", encoding: .utf8)
            text.replace(#""noiseOffset": 0,"#, with: "")
            #expect(!text.contains("noiseOffset"))
            try write(text, to: folder + "/run.json")
            #expect(try run.description().settings.noiseOffset == 0)
            #expect(try run.description().settings.batchSize == 2)
        }
    }

    @Test func whatIsNoRunIsSaid() throws {
        try withFolder { folder in
            let run = RunDirectory(folder)
            let none = #expect(throws: LoopyError.self) { try run.description() }
            #expect(none?.category == .missing)
            for text in ["{", "[]", #"{"settings": 1}"#] {
                try write(text, to: folder + "/run.json")
                let error = #expect(throws: LoopyError.self) { try run.description() }
                #expect(error?.category == .malformed)
                #expect(error?.message.contains("run.json") == true)
            }
        }
    }
}
