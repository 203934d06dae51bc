import Curation
import Dataset
import Foundation
import Media
import Perception
import Speech
import Storage
import TestSupport
import Testing
import Torch

/// Sound that is out of step with the lips is brought back into step.
@Suite struct SoundShiftTests {
    private static let frames = 100

    /// Four seconds of a person who speaks, and the same with its sound late or early.
    ///
    /// - Parameter lead: the frames by which the sound is early.
    private func makeSource(_ folder: String, lead: Int) throws -> String {
        let (plain, shifted) = (folder + "/plain.mkv", folder + "/shifted.mkv")
        let cut = try run(
            "ffmpeg", "-v", "error", "-ss", "2", "-i", Place.sample("obama_speech.mp4"),
            "-t", "\(Self.frames / 25)", "-vf", "fps=25,scale=160:120", "-c:v", "libx264",
            "-preset",
            "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", "-ac", "1", "-ar", "16000",
            plain)
        try #require(cut.status == 0)
        let seconds = String(Double(abs(lead)) / 25)
        let input = ["-itsoffset", seconds, "-i", plain]
        let inputs = lead > 0 ? input + ["-i", plain] : ["-i", plain] + input
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["ffmpeg", "-v", "error"] + inputs
            + ["-map", "0:v", "-map", "1:a", "-c", "copy", shifted]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return shifted
    }

    /// The sound of a file's pictures, as it lies in the file.
    private func sound(_ path: String) throws -> [Float] {
        try AudioReader.read(
            path: path, start: MediaProbe(path: path).video.clock.startSeconds,
            count: 640 * Self.frames)
    }

    /// Finds the offset as lip-sync does, from embeddings that fit each other where sound and lips do: both
    /// are spectra, of the sound as it was, which is what the lips say, and of the sound as it is.
    private func offset(of sound: [Float], from original: [Float]) throws -> Int {
        func embedded(_ samples: [Float]) throws -> Tensor {
            try LogMel().encode(Recording(samples)).flattened(from: 1)
        }
        return try LipSyncScore.score(lips: embedded(original), sound: embedded(sound)).all.offset
    }

    @Test(arguments: [3, -3])
    func aShiftIsTakenOut(lead: Int) throws {
        try withFolder { folder in
            let path = try makeSource(folder, lead: lead)
            let original = try sound(folder + "/plain.mkv")
            let offset = try offset(of: sound(path), from: original)
            #expect(offset == lead)

            let bytes = try Data(contentsOf: URL(fileURLWithPath: path)).count
            var source = Source(
                digest: Digest.of("s"), path: path, bytes: bytes, modified: 1)
            source.probe = try MediaProbe(path: path)
            let measured = try FakeMeasurements(folder + "/dataset", [source])
            try measured.write { _ in
                [
                    .init(frames: 0..<Self.frames, head: { _ in [40, 20, 100, 80] }) {
                        $0[.syncOffset] = Double(offset)
                    }
                ]
            }
            let clip = try #require(measured.select().decisions.first)
            #expect(clip.audioDelay == lead)
            #expect(clip.frames.count > 90)

            var settings = CropSettings()
            (settings.video.size, settings.video.preset) = (32, "ultrafast")
            let stage = try CropStage(measured.dataset, settings: settings, threads: 1)
            for unit in stage.pending() { try stage.build(unit) }
            try #require(stage.finish() == [])
            let reader = try ColumnReader(
                "audio", in: measured.dataset, catalogue: .read(measured.dataset))
            let archive = try reader.archive(ClipPlan([clip]).units[0])
            let member = try archive.member(reader.memberName(#require(clip.key)))
            let cut = try AudioStream(path: archive.path, bytes: member.bytes)
            let samples = try cut.next(cut.sampleCount)
            // The sound is in step again, to the sample.
            let frames = clip.frames
            let expected = original[(640 * frames.lowerBound)..<(640 * frames.upperBound)]
            #expect(samples.count == expected.count)
            #expect(zip(samples, expected).allSatisfy { abs($0 - $1) < 1e-4 })
            #expect(expected.contains { abs($0) > 0.1 })

            // Nothing is cut from another file than was measured.
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seekToEnd()
            try file.write(contentsOf: [0])
            try file.close()
            settings.video.size = 64
            let later = try CropStage(measured.dataset, settings: settings, threads: 1)
            for unit in later.pending() { try later.build(unit) }
            let errors = try later.finish().map(\.error)
            #expect(errors.count == 1)
            #expect(
                errors.first?.contains("changed since it was ingested; run loopy-ingest again")
                    == true)
        }
    }
}
