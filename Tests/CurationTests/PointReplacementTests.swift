import Curation
import Dataset
import Media
import Perception
import TestSupport
import Testing

/// A network that sees what a test says.
private final class ScriptedNetwork: WholePictureNetwork {
    let batch = 10
    private(set) var calls = 0, seen = 0
    private let look: (_ picture: Int) -> [FacePoints]

    /// - Parameter look: gives the faces of a picture, which are counted from 0.
    init(_ look: @escaping (Int) -> [FacePoints]) { self.look = look }

    func faces(in frames: [VideoFrame]) -> [[FacePoints]] {
        calls += 1
        return frames.map { _ in
            defer { seen += 1 }
            return look(seen)
        }
    }
}

@Suite struct PointReplacementTests {
    private func points(_ x: Double, _ y: Double, lips: Double = 0) -> [Point] {
        // A face of 60 pixels, whose lower lip is some pixels below the upper one.
        (0..<68).map { index in
            let lower = (65...67).contains(index) ? lips : 0
            return Point(x + Double(index % 2) * 60, y + Double(index / 34) * 60 + lower)
        }
    }

    private func observation(_ points: [Point], face: Int, isCoasting: Bool) -> FaceObservation {
        let box = Box(around: points)
        return FaceObservation(
            face: face,
            landmarks: FaceLandmarks(
                points: points, confidences: points.map { _ in 0.9 }, box: box,
                pose: HeadPose(yaw: 0, pitch: 0, roll: 0), presence: 0.9, sharpness: 1,
                brightness: 0.5, region: FaceRegion(around: box, angle: 0, scale: 1.5)),
            isCoasting: isCoasting)
    }

    private func reader(_ folder: String) throws -> VideoReader {
        try VideoReader(path: folder + "/v.mp4", threads: 1)
    }

    /// What stands in a track for the first point of a frame: x, y, confidence.
    private func first(_ track: TrackRecorder, _ frame: Int) -> [Float] {
        Array(track.points[(frame * 68 * 3)..<(frame * 68 * 3 + 3)])
    }

    @Test func pointsGoToTheFaceThatTheyLieOn() throws {
        try withFolder { folder in
            try makeVideo(folder + "/v.mp4", source: "testsrc=s=320x240:r=25", seconds: 0.8)
            let pictures = FramePrefetcher(try reader(folder))
            var tracks: [TrackRecorder] = []
            // Two faces; the second is there from the third picture, and out of sight in the fifth.
            while let picture = try pictures.next() {
                for (face, x) in [(0, 20.0), (1, 200.0)] where face == 0 || picture.index >= 2 {
                    if face >= tracks.count {
                        tracks.append(
                            TrackRecorder(
                                face: face, start: picture.index, frame: picture.frame))
                    }
                    tracks[face].append(
                        observation(
                            points(x, 50), face: face, isCoasting: face == 1 && picture.index == 4),
                        frame: picture)
                }
            }
            #expect(tracks.map(\.count) == [20, 18])
            let before = tracks

            // The network sees both a little beside, in the other order; not the first in the third
            // picture; and somebody else in the fourth.
            let network = ScriptedNetwork { picture in
                func face(_ x: Double) -> FacePoints {
                    FacePoints(
                        points: points(x + Double(picture), 52, lips: 12),
                        confidences: (0..<68).map { _ in 0.7 })
                }
                if picture == 2 { return [face(200)] }
                if picture == 3 { return [face(200), face(90)] }
                return [face(200), face(20)]
            }
            try PointReplacement.replace(
                in: &tracks, FramePrefetcher(try reader(folder)), by: network)
            #expect(network.seen == 20)
            #expect(network.calls == 2)
            #expect(first(tracks[0], 0) == [20, 52, 0.7])
            #expect(first(tracks[0], 1) == [21, 52, 0.7])
            // Not seen: where it was, and not sure.
            #expect(first(tracks[0], 2) == [21, 52, 0])
            #expect(first(tracks[0], 3) == [21, 52, 0])
            #expect(first(tracks[0], 4) == [24, 52, 0.7])
            #expect(first(tracks[1], 0) == [202, 52, 0.7])
            #expect(first(tracks[1], 1) == [203, 52, 0.7])
            // Out of sight for the tracker, whatever the network says.
            #expect(first(tracks[1], 2) == [203, 52, 0])
            #expect(first(tracks[1], 3) == [205, 52, 0.7])

            // The mouth is measured anew (12 pixels, in eye distances of a face of 60), the rest stands.
            let columns = TrackColumn.allCases
            for column in columns {
                let value = tracks[0].rows[column.rawValue]
                if column == .mouthOpening {
                    #expect(abs(value - 12 / (0.42 * 60)) < 1e-5)
                } else {
                    #expect(value == before[0].rows[column.rawValue])
                }
            }
        }
    }

    /// A source of fewer pictures: the network sees each once.
    @Test func repeatsHaveThePointsOfThePictureThatTheyShow() throws {
        try withFolder { folder in
            try makeVideo(folder + "/v.mp4", source: "testsrc=s=320x240:r=5", seconds: 1)
            let pictures = FramePrefetcher(try reader(folder))
            var track: TrackRecorder?
            while let picture = try pictures.next() {
                track = track ?? TrackRecorder(face: 0, start: 0, frame: picture.frame)
                track?.append(
                    observation(points(20, 50), face: 0, isCoasting: false), frame: picture)
            }
            var tracks = [try #require(track)]
            let network = ScriptedNetwork { picture in
                [
                    FacePoints(
                        points: points(21 + Double(picture), 50),
                        confidences: (0..<68).map { _ in 0.7 })
                ]
            }
            try PointReplacement.replace(
                in: &tracks, FramePrefetcher(try reader(folder)), by: network)
            #expect(network.seen == 5)
            let found = (0..<tracks[0].count).map { first(tracks[0], $0)[0] }
            #expect(Set(found) == [21, 22, 23, 24, 25])
            #expect(found == found.sorted())
        }
    }
}
