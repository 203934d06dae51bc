import Foundation
import Media
import Perception
import Testing

/// Lip-sync by Loopy's own network, with the weights that come with it.
@Suite struct MouthSyncTests {
    /// A person who speaks, at 12 pictures a second.
    private struct Talk {
        let lips: [LipShape?]
        let samples: [Float]
        let isSpeech: [Bool]

        init() throws {
            let path = Place.sample("obama_speech.mp4")
            let probe = try MediaProbe(path: path)
            let reader = try VideoReader(path: path, clock: probe.video.clock, threads: 1)
            let face = try #require(try FaceFollower().longestFace(in: reader))
            try #require(face.start == 0)
            lips = face.lips
            samples = try AudioReader.read(
                path: path, start: probe.video.clock.startSeconds, count: lips.count * 640)
            isSpeech = try VoiceActivity().isSpeech(samples)
        }
    }

    @Test func aShiftOfTheSoundIsFound() throws {
        let talk = try Talk(), network = try MouthSync()
        func score(late frames: Int) throws -> MouthSyncScore {
            let silence = [Float](repeating: 0, count: abs(frames) * 640)
            let samples =
                frames >= 0
                ? silence + talk.samples.dropLast(silence.count)
                : talk.samples.dropFirst(silence.count) + silence
            let speech = try VoiceActivity().isSpeech(samples)
            return try #require(
                try network.score(lips: talk.lips, samples: samples, isSpeech: speech).score)
        }
        let inStep = try score(late: 0)
        #expect(abs(inStep.offset) < 1.5)
        #expect(inStep.confidence > 0.5)
        #expect(inStep.curve.count == 31)
        for late in [-12, -5, 1, 4, 9] {
            let score = try score(late: late)
            #expect(abs(score.offset + Double(late) - inStep.offset) < 0.5)
            #expect(score.confidence > 0.3)
        }
    }

    @Test func otherSoundIsUnrelated() throws {
        let talk = try Talk(), network = try MouthSync()
        let samples = try AudioReader.read(
            path: Place.package + "/.deps/portraits/speech.wav", start: 0,
            count: talk.lips.count * 640)
        let other = try network.score(
            lips: talk.lips, samples: samples, isSpeech: VoiceActivity().isSpeech(samples))
        let own = try network.score(
            lips: talk.lips, samples: talk.samples, isSpeech: talk.isSpeech)
        #expect(try #require(other.score).confidence < 0.1 * #require(own.score).confidence)
    }

    @Test func loudnessChangesNothing() throws {
        let talk = try Talk(), network = try MouthSync()
        let loud = try network.score(
            lips: talk.lips, samples: talk.samples, isSpeech: talk.isSpeech)
        let quiet = try network.score(
            lips: talk.lips, samples: talk.samples.map { $0 * 0.1 }, isSpeech: talk.isSpeech)
        let (a, b) = (try #require(loud.score), try #require(quiet.score))
        #expect(abs(a.offset - b.offset) < 0.01)
        #expect(abs(a.confidence - b.confidence) < 0.01)
    }

    /// What is heard before the face is seen counts as heard, and is not confused with what follows.
    @Test func soundBeforeTheFaceMayBeGiven() throws {
        let talk = try Talk(), network = try MouthSync()
        let all = try network.score(lips: talk.lips, samples: talk.samples, isSpeech: talk.isSpeech)
        let late = try network.score(
            lips: Array(talk.lips.dropFirst(20)), samples: talk.samples, isSpeech: talk.isSpeech,
            lead: 20)
        #expect(abs(try #require(all.score).offset - #require(late.score).offset) < 0.5)
    }

    @Test func withoutEnoughSpeechOrLipsNothingIsSaid() throws {
        let talk = try Talk(), network = try MouthSync()
        let silent = try network.score(
            lips: talk.lips, samples: talk.samples,
            isSpeech: talk.isSpeech.indices.map { $0 < 20 })
        #expect(silent.score == nil)
        #expect(abs(silent.seconds - 0.8) < 0.05)
        #expect(MouthSync.tooLittle(silent.seconds).hasPrefix("0.80 s of speech"))
        let unseen = try network.score(
            lips: talk.lips.map { _ in nil }, samples: talk.samples, isSpeech: talk.isSpeech)
        #expect(unseen.score == nil && unseen.seconds == 0)
        let empty = try network.score(lips: [], samples: [], isSpeech: [])
        #expect(empty.score == nil)
    }

    // MARK: Scores

    @Test func offsetsAreInterpolatedAndNeighboursCount() {
        // 3, 5, 4 around offset 2: a parabola with its top at 2 + 1/6
        var curve = [Double](repeating: -50, count: 31)
        (curve[16], curve[17], curve[18]) = (3, 5, 4)
        let score = MouthSyncScore(curve: curve, seconds: 2)
        let top: Double = 2 + 1.0 / 6
        #expect(abs(score.offset - top) < 1e-12)
        #expect(score.confidence > 0.99)
        let near: Double = log(exp(3) + exp(5) + exp(4))
        let values = MouthSyncCalibration.values(.init(curve, seconds: 2))
        #expect(abs(values[1] - near) < 1e-12)
        #expect(abs(values[2] - (log(26) - 50)) < 1e-12)
        #expect(abs(values[3] - values[2] * log(0.4)) < 1e-12)

        // a second peak takes its share
        curve[5] = 4.9
        let torn = MouthSyncScore(curve: curve, seconds: 2)
        #expect(torn.offset == score.offset)
        #expect(torn.confidence < 0.8 && torn.confidence > 0.5)
    }

    @Test func confidenceRestsOnOneOffsetThatStandsOut() {
        func confidence(_ peak: Double, _ others: Double, seconds: Double) -> Double {
            var curve = [Double](repeating: others, count: 31)
            curve[15] = peak
            return MouthSyncScore(curve: curve, seconds: seconds).confidence
        }
        // Whatever the time, flat curves tell nothing.
        for seconds in [1.0, 3, 20, 300] {
            for level in [0.0, -1, -5, -10, -60] {
                #expect(confidence(level, level, seconds: seconds) < 0.17)
            }
        }
        // Lips that hardly move make every offset unlikely; in half a minute one can tell which fits all the same.
        #expect(confidence(-4, -12, seconds: 2) < 0.5)
        #expect(confidence(-4, -12, seconds: 30) > 0.7)
        #expect(confidence(-11, -12, seconds: 30) < 0.2)
        #expect(confidence(-4, -12, seconds: 30) == confidence(-4, -12, seconds: 3000))
    }

    @Test func shortGapsAreFilledAndLongOnesAreNot() {
        func shape(_ value: Float) -> LipShape {
            LipShape(values: Array(repeating: value, count: LipShape.count))
        }
        let lips = [nil, shape(0), nil, shape(2), nil, nil, nil, nil, nil, shape(8)]
        let filled = MouthSyncInput.filled(lips).map { $0?.values[0] }
        #expect(filled == [nil, 0, 1, 2, nil, nil, nil, nil, nil, 8])
    }
}
