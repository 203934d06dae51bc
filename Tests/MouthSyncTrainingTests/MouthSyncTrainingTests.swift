import Errors
import Foundation
import MouthSyncTraining
import Perception
import Runs
import SyntheticSpeaker
import TestSupport
import Testing
import Torch

@Suite struct ArticulationTests {
    private func lips(_ phones: [(Double, Double, String)], seconds: Double) -> [LipShape] {
        var numbers = SeededNumbers("test")
        return Articulation(
            phones.map { Phone(start: $0.0, end: $0.1, name: $0.2) }, seconds: seconds, &numbers
        ).lips
    }

    /// "ama": the lips part, meet and part again, a little before it is heard.
    @Test(arguments: [["ɑ", "m"], ["AA", "M"]])
    func lipsCloseForAnM(names: [String]) {
        let lips = lips(
            [(0, 0.5, "_"), (0.5, 0.9, names[0]), (0.9, 1, names[1]), (1, 1.4, names[0])],
            seconds: 2)
        #expect(lips.count == 50)
        let gaps = lips.map { $0.values[0] }
        let closed = (20..<28).min { gaps[$0] < gaps[$1] }!  // not empty
        #expect((21...23).contains(closed))  // it is heard in frames 22.5 to 25
        #expect(gaps[closed] < 0.5 * gaps[17])
        #expect(gaps[17] > gaps[3] && gaps[30] > gaps[closed])
    }

    @Test func lipsAreWideForAnEAndRoundForAnU() {
        let lips = lips([(0, 1, "i"), (1, 2, "u")], seconds: 2)
        #expect(lips[12].values[4] > lips[37].values[4])
        // away from the camera is positive: a round mouth comes forward
        #expect(lips[12].values[12] > lips[37].values[12])
    }

    @Test func speakersDiffer() {
        var (a, b) = (SeededNumbers("a"), SeededNumbers("b"))
        let phones = [Phone(start: 0, end: 1, name: "a")]
        #expect(
            Articulation(phones, seconds: 1, &a).lips != Articulation(phones, seconds: 1, &b).lips)
    }
}

@Suite struct MouthSyncTrainerTests {
    /// Clips whose sound is their mouth: the louder, the wider open.
    private func clips(_ count: Int, frames: Int = 80) -> [SyncClip] {
        (0..<count).map { index in
            var numbers = SeededNumbers("clip", "\(index)")
            var level = 0.0
            let levels = (0..<frames).map { _ -> Double in
                level = 0.6 * level + 0.8 * numbers.normal()
                return level
            }
            return SyncClip(
                name: "\(index)",
                lips: levels.map { level in
                    LipShape(values: LipShape.deviations.map { Float(level) * $0 })
                },
                spectra: levels.map { level in
                    (0..<320).map { _ in Float(2 * level + 0.3 * numbers.normal()) }
                })
        }
    }

    private func train(steps: Int, to path: String) throws -> [Double] {
        var options = MouthSyncTrainer.Options()
        (options.steps, options.syntheticShare) = (steps, 0.5)
        let trainer = try MouthSyncTrainer(synthetic: clips(6), real: clips(3), options)
        var losses: [Double] = []
        try trainer.train { losses.append($1) }
        try trainer.write(to: path, metadata: [:])
        return losses
    }

    @Test func itLearnsWhichSoundBelongsToWhichMouth() throws {
        try withFolder { folder in
            let losses = try train(steps: 60, to: folder + "/w.safetensors")
            #expect(losses.count == 60)
            let (first, last) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
            #expect(last < 0.9 * first)
            let network = try MouthSyncNetwork(path: folder + "/w.safetensors")
            let trial = SyncTrial(network, clips: clips(12), frames: 80)
            #expect(trial.withinOne > 0.8)
            #expect(trial.areaUnderCurve > 0.7)
            let late = SyncTrial(network, clips: clips(12, frames: 120), frames: 80, shift: 4)
            #expect(late.withinOne > 0.8)
        }
    }

    @Test func theSameSeedMakesTheSameWeights() throws {
        try withFolder { folder in
            _ = try train(steps: 3, to: folder + "/a.safetensors")
            _ = try train(steps: 3, to: folder + "/b.safetensors")
            #expect(
                try bytes(of: folder + "/a.safetensors") == bytes(of: folder + "/b.safetensors"))
        }
    }

    @Test func withoutClipsThereIsNothingToTrainOn() {
        let error = #expect(throws: LoopyError.self) {
            try MouthSyncTrainer(synthetic: [], real: [], .init())
        }
        #expect(error?.category == .configuration)
    }

    @Test func listsOfClipsAreReadStrictly() throws {
        try withFolder { folder in
            let path = folder + "/list.tsv"
            try Data("# a comment\na.mp4\t2\ttrain\n/b.mp4\t0\tcheck\n".utf8).write(
                to: URL(fileURLWithPath: path))
            let lines = try SyncClipList(path: path).lines
            #expect(lines.map(\.path) == [folder + "/a.mp4", "/b.mp4"])
            #expect(lines.map(\.soundLead) == [2, 0])
            #expect(lines.map(\.isForTraining) == [true, false])
            try Data("a.mp4 2 train\n".utf8).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: LoopyError.self) { try SyncClipList(path: path) }
            #expect(error?.category == .malformed && error?.path == path)
            #expect(throws: LoopyError.self) { try SyncClipList(path: folder + "/none.tsv") }
        }
    }

    @Test func phonesBesideTheSoundAreNeeded() throws {
        try withFolder { folder in
            let sound = folder + "/speech.wav"
            try FileManager.default.copyItem(atPath: Place.speech, toPath: sound)
            let error = #expect(throws: LoopyError.self) { try SyncClip(speech: sound, seed: "0") }
            #expect(error?.category == .missing && error?.path == folder + "/speech.phones")
            try Data("0.1 0.4 m\n0.4 0.8 a\n".utf8).write(
                to: URL(fileURLWithPath: folder + "/speech.phones"))
            let clip = try SyncClip(speech: sound, seed: "0")
            #expect(clip.lips.count == clip.spectra.count && clip.lips.count > 25)
            #expect(clip.spectra.allSatisfy { $0.count == 320 })
        }
    }
}

/// A mouth whose truth is known, at every frame rate: `render-speaker`'s, without its pictures.
@Suite struct KnownTruthTests {
    /// - Returns: the shapes on the grid of 25 frames a second; nil where it shows a picture again.
    private func lips(_ mouth: SpeechMouth, picturesPerSecond rate: Double) -> [LipShape?] {
        func value(_ values: [Double], _ time: Double) -> Double {
            let at = min(max(time * 25, 0), Double(values.count - 1))
            let before = Int(at)
            let share = at - Double(before)
            return values[before] * (1 - share) + values[min(before + 1, values.count - 1)] * share
        }
        var grid = [LipShape?](repeating: nil, count: mouth.frames)
        for picture in 0... {
            let time = Double(picture) / rate
            let frame = Int((time * 25).rounded())
            guard frame < grid.count else { break }
            grid[frame] = Articulation.shape(
                opening: value(mouth.opening, time), spread: value(mouth.spread, time))
        }
        return grid
    }

    @Test(arguments: [12.0, 15, 24, 25, 29.97, 50, 60])
    func offsetsAreFoundWithinHalfAFrame(rate: Double) throws {
        let speech = try speechSamples()
        let mouth = try SpeechMouth(speech)
        let network = try MouthSync(), voice = try VoiceActivity()
        let lips = lips(mouth, picturesPerSecond: rate)
        for late in [-7, 0, 3] {
            let silence = [Float](repeating: 0, count: abs(late) * 640)
            let samples =
                late >= 0
                ? silence + speech.dropLast(silence.count)
                : speech.dropFirst(silence.count) + silence
            let score = try #require(
                try network.score(
                    lips: lips, samples: samples, isSpeech: voice.isSpeech(samples)
                ).score)
            #expect(abs(score.offset + Double(late)) < 0.5, "late by \(late): \(score.offset)")
        }
    }
}
