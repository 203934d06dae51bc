import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct OverlayTests {
    /// What is written over pictures of a real person, half a second apart.
    private func writings(_ filters: String) throws -> [Overlay.Writing] {
        try withFolder { folder in
            try run(
                ["ffmpeg", "-v", "error", "-i", Place.sample("WolfgangLanger_Pexels.mp4")]
                    + [
                        "-vf", "fps=2,settb=1/25,setpts=N" + filters, "-frames:v", "6", "-r", "25",
                        "-an",
                    ]
                    + ["-c:v", "libx264", "-qp", "20", folder + "/out.mkv"])
            let reader = try VideoReader(path: folder + "/out.mkv", threads: 1)
            var overlay = Overlay()
            var found: [Overlay.Writing] = []
            while let next = try reader.next() {
                if let writing = overlay.look(at: next.frame) { found.append(writing) }
            }
            return found
        }
    }

    /// Letters are made of boxes: no font need be there.
    private static let letters: String = {
        let bars = [
            "0:0:5:27", "11:0:5:27", "0:0:16:5", "0:11:16:5", "0:22:16:5",
        ].map { $0.split(separator: ":").compactMap { Int($0) } }
        var filters = ""
        for letter in 0..<14 {
            for bar in bars {
                let (x, y) = (150 + letter * 22 + bar[0], 306 + bar[1])
                filters += ",drawbox=\(x):\(y):\(bar[2]):\(bar[3]):white:fill"
            }
        }
        return filters
    }()

    @Test func aPersonAloneHasNothingWrittenOver() throws {
        let found = try writings("")
        #expect(found.count == 5)
        #expect(found.allSatisfy { $0.share() == 0 })
    }

    @Test func subtitlesAreSeenWhereTheyAre() throws {
        let found = try writings(
            ",drawbox=140:298:330:42:black:fill" + Self.letters)
        let line = Box(left: 150, top: 306, right: 452, bottom: 333)
        #expect(found.count == 5)
        for writing in found {
            #expect((0.005...0.06).contains(writing.share()), "\(writing.share())")
            #expect(writing.share(of: line) > 0.2, "\(writing.share(of: line))")
            #expect(writing.share(of: Box(left: 0, top: 0, right: 640, bottom: 280)) == 0)
        }
    }

    /// A fence stays as well, but has strokes of one direction.
    @Test func aFenceIsNotWriting() throws {
        let fence = (0..<40).map { ",drawbox=\(20 + $0 * 12):100:5:120:white:fill" }.joined()
        #expect(try writings(fence).allSatisfy { $0.share() < 0.005 })
    }
}
