import Curation
import Dataset
import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct TrackMetricsTests {
    /// What a face is like in one frame; the picture is 320x240.
    private struct State {
        var centre = Point(160, 120)
        var height = 100.0
        var pose = HeadPose(yaw: 0, pitch: 0, roll: 0)
        /// Inner lips, in pixels.
        var lips = 0.0
        var isCoasting = false
    }

    /// Pictures on which nothing is looked for: 100 of them, and a repeat of each.
    private static let pictures = Result {
        try withFolder { folder in
            try makeVideo(
                folder + "/grey.mp4", source: "color=gray:s=320x240:r=25", seconds: 4)
            let reader = try VideoReader(path: folder + "/grey.mp4", threads: 1)
            var pictures: [GridFrame] = []
            while let next = try reader.next() { pictures.append(next) }
            return pictures
        }
    }

    private func landmarks(_ state: State) -> FaceLandmarks {
        let (centre, half) = (state.centre, state.height / 2)
        var points = [Point](repeating: centre, count: IBUG68.count)
        for index in IBUG68.leftEye { points[index].x -= 0.21 * state.height }
        for index in IBUG68.rightEye { points[index].x += 0.21 * state.height }
        for index in [65, 66, 67] { points[index].y += state.lips }
        let box = Box(
            left: centre.x - half * 0.8, top: centre.y - half, right: centre.x + half * 0.8,
            bottom: centre.y + half)
        return FaceLandmarks(
            points: points, confidences: points.map { _ in 0.9 }, box: box, pose: state.pose,
            presence: 0.9,
            sharpness: 7, brightness: 0.5,
            region: FaceRegion(around: box, angle: 0, scale: 1.5))
    }

    private func record(_ range: Range<Int>, _ state: (Int) -> State) throws -> TrackRecorder {
        let pictures = try Self.pictures.get()
        var track = TrackRecorder(
            face: 0, start: range.lowerBound, frame: pictures[range.lowerBound].frame)
        for frame in range {
            let state = state(frame)
            let observation = FaceObservation(
                face: 0, landmarks: landmarks(state), isCoasting: state.isCoasting)
            track.append(observation, frame: pictures[frame])
        }
        return track
    }

    private func metrics(
        _ track: TrackRecorder, sound: StretchSound? = nil
    ) throws -> Metrics {
        try MetricMeasurers().metrics(
            of: TrackedFace(track: track, sound: sound, framesPerSecond: 25))
    }

    private func expect(
        _ metrics: Metrics, _ metric: Metric, _ value: Double, within tolerance: Double = 1e-4,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try #require(metrics[metric], sourceLocation: location)
        #expect(abs(found - value) < tolerance, "\(metric): \(found)", sourceLocation: location)
    }

    /// At half the frames a second, every other frame repeats the one before.
    @Test func aTrackEndsWhereItsFaceWasLastSeen() throws {
        func record(_ isSeen: [Bool]) throws -> TrackRecorder {
            var track = try self.record(0..<1) { _ in State() }
            for (index, isSeen) in isSeen.enumerated() {
                let state = State(isCoasting: !isSeen)
                track.append(
                    FaceObservation(
                        face: 0, landmarks: landmarks(state), isCoasting: state.isCoasting),
                    frame: try Self.pictures.get()[2 * index + 2])
                track.appendRepeat()
            }
            return track
        }
        var left = try record([true, true, false, false, false])
        left.trim()
        #expect(left.count == 5)
        var back = try record([true, false, false, true])
        back.trim()
        #expect(back.count == 9)
        // The picture that stands still goes first, and then what was not seen before it.
        var held = try record([true, false])
        held.appendRepeat()
        held.dropLast(2)
        held.trim()
        #expect(held.count == 3)
    }

    @Test func aStillFaceIsStill() throws {
        let found = try metrics(record(0..<100) { _ in State() })
        for metric in [
            Metric.movement, .movementVariance, .movementMaximum, .rotation, .rotationSpeed,
            .yawMinimum, .yawMaximum, .damaged, .sound, .speech,
        ] {
            try expect(found, metric, 0)
        }
        try expect(found, .duration, 4)
        try expect(found, .frameRate, 25)
        try expect(found, .resolution, 240)
        try expect(found, .faceHeight, 100)
        try expect(found, .faceWidth, 80)
        try expect(found, .presence, 0.9)
        try expect(found, .sharpness, 7)
        #expect(found[.mouthInSpeech] == nil && found[.syncOffset] == nil)
    }

    @Test func movementIsInFaceHeightsASecond() throws {
        // Two pixels a frame, the face 100 high: half a face height a second.
        let track = try record(0..<60) { State(centre: Point(100 + 2 * Double($0), 120)) }
        let found = try metrics(track)
        try expect(found, .movement, 0.5)
        try expect(found, .movementMaximum, 0.5)
        try expect(found, .movementVariance, 0)
        // Twice the size and twice the way is the same.
        let near = try record(0..<60) {
            State(centre: Point(100 + 4 * Double($0), 120), height: 200)
        }
        try expect(try metrics(near), .movement, 0.5)
    }

    @Test func movementVariesWhereItStops() throws {
        let track = try record(0..<100) { State(centre: Point(100 + Double(min($0, 50)), 120)) }
        let found = try metrics(track)
        try expect(found, .movement, 0.125, within: 0.01)
        try expect(found, .movementMaximum, 0.25)
        // Half of the time 0.25, half 0: an eighth squared.
        try expect(found, .movementVariance, 0.0156, within: 0.001)
    }

    @Test func rotationIsAShareOfTime() throws {
        let track = try record(0..<100) { frame in
            State(pose: HeadPose(yaw: frame < 30 ? 40 : -10, pitch: frame == 99 ? -35 : 5, roll: 0))
        }
        let found = try metrics(track)
        try expect(found, .rotation, 0.31)
        try expect(found, .yawMaximum, 40)
        try expect(found, .yawMinimum, -10)
        try expect(found, .pitchMinimum, -35)
    }

    @Test func rotationSpeedIsInDegreesASecond() throws {
        let track = try record(0..<50) {
            State(pose: HeadPose(yaw: 0.6 * Double($0), pitch: 0.8 * Double($0), roll: 3))
        }
        // √(0.6² + 0.8²) degrees a frame
        try expect(try metrics(track), .rotationSpeed, 25, within: 1e-3)
    }

    @Test func completenessIsTheShareOfTheHeadInside() throws {
        let inside = try metrics(record(0..<20) { _ in State() })
        try expect(inside, .completeness, 1)
        // A face whose middle is on the picture's left edge: half of the head is outside.
        let half = try metrics(record(0..<20) { State(centre: Point($0 < 10 ? 0 : 160, 120)) })
        try expect(half, .completenessMinimum, 0.5)
        try expect(half, .completeness, 0.75)
        #expect(half[.margin]! < -0.4)  // measured above
        #expect(inside[.margin]! > 0.1)
    }

    @Test func theMouthIsMeasuredBySpeech() throws {
        // It opens by 0.42 pixels a frame, which is a hundredth of the eyes' distance.
        let track = try record(20..<80) {
            State(lips: $0 < 50 ? 0.42 * Double($0) : 21 + 0.84 * Double($0 - 50))
        }
        // The stretch began at frame 10: speech up to frame 49 of the source, silence after it.
        let sound = StretchSound(
            start: 10, isSpeech: (0..<90).map { $0 < 40 }, isAudible: (0..<90).map { $0 < 55 })
        let found = try metrics(track, sound: sound)
        try expect(found, .speech, 0.5)
        try expect(found, .sound, 0.75)
        // The first picture has none before it to differ from: 29 of 30 changes.
        try expect(found, .mouthInSpeech, 0.25 * 29 / 30, within: 0.002)
        try expect(found, .mouthInSilence, 0.5, within: 0.01)
    }

    @Test func oneWrongPictureDoesNotMoveTheMouth() throws {
        let track = try record(0..<50) { State(lips: $0 == 20 ? 30 : 0) }
        let sound = StretchSound(
            isSpeech: [Bool](repeating: true, count: 50),
            isAudible: [Bool](repeating: true, count: 50))
        let found = try metrics(track, sound: sound)
        try expect(found, .mouthInSpeech, 0)
        #expect(found[.mouthInSilence] == nil)
    }

    @Test func unseenPicturesLowerPresenceAndEndTracks() throws {
        var track = try record(0..<50) { State(isCoasting: $0 >= 20 && $0 < 25 || $0 >= 40) }
        track.trim()
        #expect(track.count == 40)
        let found = try metrics(track)
        try expect(found, .presence, 0.9 * 35 / 40)
        try expect(found, .presenceMinimum, 0)
        try expect(found, .duration, 1.6)
    }

    @Test func repeatsKeepTheRow() throws {
        var track = try record(0..<10) { State(centre: Point(100 + Double($0), 120)) }
        track.appendRepeat()
        track.appendRepeat()
        #expect(track.count == 12)
        track.dropLast(5)
        #expect(track.count == 7)
        track.dropLast(100)
        #expect(track.count == 0)
    }

    /// A source that work units cut in two has the metrics of the whole.
    @Test func twoPartsGiveTheWhole() throws {
        let state: (Int) -> State = { frame in
            let time = Double(frame) / 25
            return State(
                centre: Point(160 + 30 * sin(3 * time), 120 + 10 * cos(2 * time)),
                pose: HeadPose(yaw: 50 * sin(2 * time), pitch: 5, roll: 3 * time),
                lips: 4 + 4 * sin(9 * time))
        }
        let sound = StretchSound(
            isSpeech: (0..<100).map { $0 % 40 < 25 },
            isAudible: [Bool](repeating: true, count: 100))
        let whole = try metrics(record(0..<100, state), sound: sound)
        let second = StretchSound(
            start: 50, isSpeech: (50..<100).map { $0 % 40 < 25 },
            isAudible: [Bool](repeating: true, count: 50))
        let joined = try metrics(record(0..<50, state), sound: sound)
            .merged(with: metrics(record(50..<100, state), sound: second))
        for metric in Metric.all {
            #expect((whole[metric] == nil) == (joined[metric] == nil))
            guard let a = whole[metric], let b = joined[metric] else { continue }
            // Differences across the border are not seen: a twentieth at most.
            #expect(abs(a - b) <= 0.05 * max(abs(a), abs(b)) + 0.002, "\(metric): \(a), \(b)")
        }
    }
}
