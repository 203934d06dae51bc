import Generation
import Runs
import Testing

@Suite struct QualityTests {
    @Test(arguments: GenerationSettings.Quality.allCases, [1, 10, 25])
    func aQualityChangesHowTheModelIsSampled(
        quality: GenerationSettings.Quality, steps: Int
    ) {
        var sampling = SamplingSettings()
        sampling.numInferenceSteps = steps
        sampling.guidance.audioRatio = 3
        var settings = GenerationSettings(sampling: sampling)
        settings.use(quality)
        switch quality {
        case .exact:
            #expect(settings.solver == .ddim && settings.numInferenceSteps == steps)
        case .fast:
            #expect(settings.solver == .unipc)
            #expect(settings.numInferenceSteps == [1: 1, 10: 6, 25: 15][steps])
            #expect(settings.guidance == sampling.guidance)
        case .draft:
            #expect(settings.solver == .unipc && settings.guidance.last == 0.5)
            #expect(settings.numInferenceSteps == [1: 1, 10: 4, 25: 10][steps])
        }
        #expect(settings.guidance.audioRatio == 3)
    }
}
