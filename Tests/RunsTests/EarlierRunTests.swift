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
        #expect(try earlier.description().dataChanges == [])
    }

    @Test func itsNoiseScheduleIsReadUnderItsPresentNames() throws {
        try withFolder { folder in
            #expect(try earlier.description().settings.schedule == NoiseSchedule.Settings())
            var text = try String(contentsOfFile: earlier.path + "/run.json", encoding: .utf8)
            text.replace(#""prediction": "epsilon""#, with: #""prediction": "velocity""#)
            text.replace(#""zeroTerminalSnr": false"#, with: #""zeroTerminalSnr": true"#)
            try write(text, to: folder + "/run.json")
            let schedule = try RunDirectory(folder).description().settings.schedule
            #expect(schedule.predictionType == .vPrediction)
            #expect(schedule.rescaleBetasZeroSnr)
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
