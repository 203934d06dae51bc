import LoopyModel
import Testing
import Torch

/// How often each state of the conditions is drawn (section 3.4).
@Suite struct ConditionMaskTests {
    private let count = 100_000

    private func share(
        _ probabilities: ConditionMask.Probabilities,
        _ holds: (ConditionMask, MotionSource) -> Bool
    ) throws -> Double {
        let generator = try Generator(seed: 5)
        let found = (0..<count).count { _ in
            let (mask, source) = probabilities.draw(generator)
            return holds(mask, source)
        }
        return Double(found) / Double(count)
    }

    /// Within four standard deviations of what is stated.
    private func isNear(_ share: Double, _ probability: Double) -> Bool {
        let deviation = (probability * (1 - probability) / Double(count)).squareRoot()
        return abs(share - probability) <= 4 * deviation
    }

    @Test func masksAndSourcesAreDrawnAsOftenAsStated() throws {
        let paper = ConditionMask.Probabilities()
        #expect(isNear(try share(paper) { mask, _ in mask.audio }, 0.1))
        #expect(isNear(try share(paper) { mask, _ in mask.motionLatents }, 0.1))
        #expect(isNear(try share(paper) { mask, _ in mask.reference }, 0.15))
        #expect(isNear(try share(paper) { mask, _ in mask.motionFrames }, 0.4))
        // Each of the four sources has a quarter of the samples with audio; the others have audio's.
        #expect(isNear(try share(paper) { _, source in source == .landmarks }, 0.9 / 4))
        #expect(isNear(try share(paper) { _, source in source == .audio }, 0.1 + 0.9 / 4))
    }

    @Test func withoutAudioNothingTellsOfTheSpeech() throws {
        let paper = ConditionMask.Probabilities()
        #expect(try share(paper) { mask, source in mask.audio && source != .audio } == 0)
        let silent = try share(paper) { mask, source in
            mask.audio && source == .audio && !mask.motionLatents && !mask.reference
        }
        #expect(isNear(silent, 0.1 * 0.9 * 0.85))
        let base = try share(paper) { mask, source in
            mask.audio && source == .audio && !mask.motionLatents && mask.reference
        }
        #expect(isNear(base, 0.1 * 0.9 * 0.15))
    }

    @Test func independentMasksAreStillThereToBeAskedFor() throws {
        var independent = ConditionMask.Probabilities()
        independent.joint = false
        let base = try share(independent) { mask, source in
            mask.audio && source == .audio && !mask.motionLatents && mask.reference
        }
        #expect(isNear(base, 0.1 * 0.25 * 0.9 * 0.15))
    }
}
