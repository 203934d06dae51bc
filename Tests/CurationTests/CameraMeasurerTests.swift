import Curation
import Dataset
import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct CameraMeasurerTests {
    /// A wall of soft noise, across which a camera moves by so many pixels a frame.
    private func pictures(speed: Int, seconds: Double) throws -> [GridFrame] {
        try withFolder { folder in
            try makeVideo(
                folder + "/wall.mp4",
                source: "nullsrc=s=800x360:r=25,geq=lum='random(1)*255':cb=128:cr=128,"
                    + "gblur=sigma=3,eq=contrast=3,trim=end_frame=1,loop=loop=-1:size=1,"
                    + "setpts=N/25/TB,crop=480:360:'\(speed)*n':0", seconds: seconds)
            let reader = try VideoReader(path: folder + "/wall.mp4", threads: 1)
            var pictures: [GridFrame] = []
            while let next = try reader.next() { pictures.append(next) }
            return pictures
        }
    }

    /// What is measured of a face that stands still before the wall.
    private func motion(
        _ pictures: [GridFrame], from first: Int = 0, cuts: Set<Int> = []
    ) throws -> Double? {
        let measurers = try MetricMeasurers()
        measurers.start(after: nil)
        let face = FaceObservation(
            face: 0, landmarks: stillFace(Point(240, 150)), isCoasting: false)
        var track = TrackRecorder(face: 0, start: first, frame: pictures[0].frame)
        for picture in pictures[first...] {
            try measurers.see(
                SeenPicture(picture, faces: [face], startsShot: cuts.contains(picture.index)))
            track.append(face, frame: picture)
        }
        return try measurers.metrics(of: TrackedFace(track: track))[.cameraMotion]
    }

    @Test func aCameraThatMovesIsSeen() throws {
        // 50 pixels a second, and the face is 100 high.
        let moving = try pictures(speed: 2, seconds: 2.4)
        let speed = try motion(moving)
        #expect(try abs(#require(speed) - 0.5) < 0.02)
        // The same looks, wherever a stretch begins.
        #expect(try motion(moving, from: 20) == motion(moving, from: 25))
        // A cut is no motion: between two looks it leaves nothing to compare.
        #expect(try motion(moving, cuts: [3, 27, 52]) == nil)
        let still = try motion(pictures(speed: 0, seconds: 2.4))
        #expect(try abs(#require(still)) < 0.01)
    }
}
