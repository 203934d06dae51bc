import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct MouthColourTests {
    /// What is measured of a real face after filters.
    @MainActor private func ratio(_ filters: String) throws -> Double? {
        let frame = try picture(Place.sample("single_face.mp4"), filter: filters)
        let face = try largest(Networks.near.get().detect(in: frame))
        return MouthColour.ratio(
            try landmarks(Networks.mesh.get(), in: frame, of: face), in: frame)
    }

    /// Where the mouth is in that picture, for a box of ffmpeg's.
    @MainActor private func mouth() throws -> Box {
        let frame = try picture(Place.sample("single_face.mp4"), filter: "null")
        let face = try largest(Networks.near.get().detect(in: frame))
        return Box(around: try landmarks(Networks.mesh.get(), in: frame, of: face).points[48..<68])
    }

    @Test @MainActor func aMicrophoneBeforeTheMouthIsSeen() throws {
        let plain = try ratio("null"), dim = try ratio("eq=brightness=-0.1:contrast=0.8")
        #expect(try #require(plain) > 0.6)
        #expect(try #require(dim) > 0.6)
        let mouth = try mouth()
        let (left, top) = (Int(mouth.left - 8), Int(mouth.top - 8))
        let (width, height) = (Int(mouth.width + 16), Int(mouth.height + 16))
        let hidden = try ratio("drawbox=\(left):\(top):\(width):\(height):0x303030:fill")
        #expect(try #require(hidden) < 0.4)
        // Without colours nothing can be told.
        let grey = try ratio("hue=s=0")
        #expect(grey == nil)
    }
}
