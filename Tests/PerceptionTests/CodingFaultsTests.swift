import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct CodingFaultsTests {
    /// The pictures of a second of a real person, after filters and a codec.
    private func pictures(_ filters: String, _ codec: String...) throws -> [VideoFrame] {
        try withFolder { folder in
            try run(
                ["ffmpeg", "-v", "error", "-i", Place.sample("WolfgangLanger_Pexels.mp4")]
                    + ["-vf", filters, "-r", "25", "-t", "2", "-an"] + codec + [folder + "/out.mkv"]
            )
            let reader = try VideoReader(path: folder + "/out.mkv", threads: 1)
            var frames: [VideoFrame] = []
            while let next = try reader.next() { frames.append(next.frame) }
            return frames
        }
    }

    private func frozen(_ frames: [VideoFrame]) -> [Int] {
        var detector = FrozenPictures()
        return frames.indices.filter { detector.isFrozen(frames[$0]) }
    }

    @Test(arguments: ["18", "30"])
    func frozenPicturesAreFound(quality: String) throws {
        let moving = try pictures("setpts=N/25/TB", "-c:v", "libx264", "-crf", quality)
        #expect(moving.count == 50)
        #expect(frozen(moving) == [])
        // Picture 19 is shown eleven times. With few bits, some of them change what they show a little.
        let held = try pictures(
            "loop=loop=10:size=1:start=20,setpts=N/25/TB", "-c:v", "libx264", "-crf", quality
        )
        let found = frozen(held)
        #expect(found.allSatisfy { (20...29).contains($0) }, "\(found)")
        #expect(found.count >= 6, "\(found)")
    }

    /// A rate that was made up for by showing pictures twice.
    @Test func repeatedPicturesAreFound() throws {
        let found = frozen(
            try pictures("setpts=N/25/TB,fps=12.5,fps=25", "-c:v", "libx264", "-crf", "18"))
        #expect((18...25).contains(found.count), "\(found)")
    }

    private func blockiness(_ filters: String, _ codec: [String]) throws -> Double {
        try withFolder { folder in
            try run(
                ["ffmpeg", "-v", "error", "-i", Place.sample("WolfgangLanger_Pexels.mp4")]
                    + ["-frames:v", "1", "-an"] + codec + [folder + "/coded.avi"])
            // What becomes of a coded picture does not add blocks.
            try run(
                ["ffmpeg", "-v", "error", "-i", folder + "/coded.avi", "-vf", filters]
                    + ["-c:v", "ffv1", folder + "/out.mkv"])
            return try #require(Blockiness.of(picture(folder + "/out.mkv")))
        }
    }

    @Test func blocksAreSeen() throws {
        let few = ["-c:v", "mpeg4", "-q:v", "20"]
        let fine = try blockiness("null", ["-c:v", "mpeg4", "-q:v", "2"])
        let coarse = try blockiness("null", few)
        #expect(fine < 0.5, "\(fine)")
        #expect(coarse > 1, "\(coarse)")
        // Wherever the grid lies.
        #expect(try blockiness("crop=iw-22:ih-14:10:4", few) > 0.7 * coarse)
        // Scaling hides it.
        #expect(try blockiness("scale=iw*3/4:-2", few) < 0.5 * coarse)
    }

    @Test func aPlainPictureHasNoBlocks() throws {
        let plain = try withFolder { folder in
            try run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=gray:s=320x240", "-frames:v"]
                    + ["1", "-c:v", "ffv1", folder + "/out.mkv"])
            return try picture(folder + "/out.mkv")
        }
        #expect(Blockiness.of(plain) == 0)
    }
}
