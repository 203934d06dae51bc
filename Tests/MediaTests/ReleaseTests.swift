import Errors
import Foundation
import Media
import Testing

/// FFmpeg's objects are freed wherever reading ends, also in the middle of an error.
@Suite struct ReleaseTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// How much more memory is in use after many calls than after a few.
    private func growth(_ count: Int, _ body: () throws -> Void) rethrows -> Int {
        for _ in 0..<20 { try body() }
        let before = residentBytes()
        for _ in 0..<count { try body() }
        return residentBytes() - before
    }

    @Test("pictures that a deinterlacer refuses are freed")
    func refusedPictures() throws {
        // Two lines are too few for it. A picture has 24 kB, of which each reading lost one.
        let path = try folder.make(
            "flat.mkv",
            words("-f lavfi -i color=gray:s=8000x2:r=25:d=0.04 -pix_fmt yuv420p")
                + words("-vf setfield=tff -c:v ffv1"))
        let growth = growth(800) {
            #expect(errorCode { _ = try VideoReader(path: path, threads: 1) } == .processing)
        }
        #expect(growth < 6_000_000, "\(growth / 1000) kB more")
    }

    @Test("files that cannot be opened leave nothing behind")
    func brokenFiles() throws {
        let whole = try folder.bytes(
            try folder.make(
                "whole.mkv", Counter.input(frames: 5) + words("-f lavfi -i sine=d=0.2 -c:a flac")))
        let broken = try folder.write("broken.mkv", whole.prefix(300))
        let notMedia = try folder.write("text.wav", Array("RIFF....WAVEnothing".utf8))
        let growth = growth(800) {
            #expect(errorCode { _ = try VideoReader(path: broken, threads: 1) } != nil)
            #expect(errorCode { _ = try AudioStream(path: broken) } != nil)
            #expect(errorCode { _ = try AudioStream(path: notMedia) } != nil)
        }
        #expect(growth < 6_000_000, "\(growth / 1000) kB more")
    }

    @Test("clips that a crop misses are freed")
    func missedCrops() throws {
        let picture = try firstPicture(
            try folder.make("a.mkv", words("-f lavfi -i testsrc=s=640x480:d=0.04 -c:v ffv1")))
        var encoding = VideoEncoding()
        encoding.size = 32
        let growth = growth(200) {
            let encoder = ClipEncoder(
                crop: CropSquare(x: 700, y: 0, side: 24), encoding: encoding)
            #expect(errorCode { try encoder.add(picture) } == .processing)
        }
        #expect(growth < 6_000_000, "\(growth / 1000) kB more")
    }
}
