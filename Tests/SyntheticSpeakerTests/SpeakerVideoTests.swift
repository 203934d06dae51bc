import Errors
import Foundation
import Media
import Perception
import Storage
import SyntheticSpeaker
import TestSupport
import Testing

@Suite struct SpeakerVideoTests {
    @Test func theSameInputAndSeedMakeTheSameBytes() throws {
        try withFolder { folder in
            let (a, b) = (try speaker(seconds: 0.4), try speaker(seconds: 0.4))
            try a.write(to: folder + "/a.mp4")
            try b.write(to: folder + "/b.mp4")
            #expect(try names(in: folder) == ["a.jsonl", "a.mp4", "b.jsonl", "b.mp4"])
            for ending in ["mp4", "jsonl"] {
                let files = try ["a", "b"].map { try bytes(of: "\(folder)/\($0).\(ending)") }
                #expect(files[0] == files[1])
            }
            let other = try speaker(seconds: 0.4) { $0.seed = 1 }
            #expect(other.truth.map(\.opening) == a.truth.map(\.opening))
            #expect(other.truth.map(\.yaw) != a.truth.map(\.yaw))
        }
    }

    /// The sound of the file, heard again, opens the mouth as the truth says, so many frames later.
    @Test(arguments: [0, 3, -4])
    func theSoundIsLateByTheShift(shift: Int) throws {
        try withFolder { folder in
            let video = try speaker(size: 64) { $0.shift = shift }
            let path = folder + "/shifted.mp4"
            try video.write(to: path)
            let truth = try JSONLines.read(SpeakerTruth.self, from: folder + "/shifted.jsonl")
            #expect(truth == video.truth)
            #expect(truth.map(\.frame) == Array(0..<video.frames))
            #expect(truth.allSatisfy { $0.soundShift == shift })

            let heard = try AudioReader.read(path: path, start: 0, count: video.frames * 640)
            let mouth = try SpeechMouth(heard)
            let opening = truth.map(\.opening)
            #expect(delay(of: mouth.opening, against: opening, reach: 6) == shift)
            let pairs = opening.indices.filter { opening.indices.contains($0 + shift) }
            #expect(
                correlation(
                    pairs.map { mouth.opening[$0 + shift] }, pairs.map { opening[$0] }) > 0.98)
        }
    }

    @Test func theShiftMovesNoPicture() throws {
        let (plain, late) = (
            try speaker(seconds: 0.4), try speaker(seconds: 0.4) { $0.shift = 5 }
        )
        #expect(plain.picture(7) == late.picture(7))
        #expect(late.sound.prefix(5 * 640).allSatisfy { $0 == 0 })
        #expect(Array(late.sound.dropFirst(5 * 640)) == Array(plain.sound.dropLast(5 * 640)))
    }

    /// FaceMesh sees what the truth says: in a video with every motion at once.
    @Test func whatIsSeenIsTheTruth() throws {
        try withFolder { folder in
            let video = try speaker(size: 256) { $0.seed = 3 }
            try video.write(to: folder + "/v.mp4")
            let seen = try faces(in: folder + "/v.mp4")
            try #require(seen.count == video.frames)
            #expect(seen.allSatisfy { $0.faces.count == 1 })
            let faces = seen.compactMap(\.faces.first)
            let truth = video.truth
            #expect(faces.allSatisfy { $0.presence > 0.9 })
            let openings = faces.map(\.mouthOpening)
            #expect(correlation(openings, truth.map(\.opening)) > 0.9)
            #expect(correlation(faces.map(\.pose.yaw), truth.map(\.yaw)) > 0.9)
            #expect(correlation(faces.map(\.pose.pitch), truth.map(\.pitch)) > 0.7)
            #expect(correlation(faces.map(\.pose.roll), truth.map(\.roll)) > 0.9)
            #expect(correlation(faces.map(Self.middleOfEyes).map(\.x), truth.map(\.x)) > 0.95)
            #expect(correlation(faces.map(Self.middleOfEyes).map(\.y), truth.map(\.y)) > 0.95)
            let widths = faces.map { $0.points[48].distance(to: $0.points[54]) / $0.eyeDistance }
            #expect(correlation(widths, truth.map(\.width)) > 0.5)

            // the same eyes, open and shut
            let lids = faces.map(Self.eyeOpening)
            func mean(_ isChosen: (SpeakerTruth) -> Bool) throws -> Double {
                let chosen = zip(lids, truth).filter { isChosen($0.1) }.map(\.0)
                try #require(!chosen.isEmpty)
                return chosen.reduce(0, +) / Double(chosen.count)
            }
            #expect(try mean { $0.blink > 0.95 } < 0.85 * mean { $0.blink == 0 })
        }
    }

    private static func middleOfEyes(_ face: FaceLandmarks) -> Point {
        let corners = [36, 39, 42, 45].map { face.points[$0] }
        return Point(
            corners.reduce(0) { $0 + $1.x } / 4, corners.reduce(0) { $0 + $1.y } / 4)
    }

    private static func eyeOpening(_ face: FaceLandmarks) -> Double {
        [(37, 41), (38, 40), (43, 47), (44, 46)].reduce(0) {
            $0 + face.points[$1.0].distance(to: face.points[$1.1])
        } / face.eyeDistance
    }

    @Test func theBystanderMovesAndKeepsTheMouthShut() throws {
        try withFolder { folder in
            let video = try speaker(size: 192) { $0.hasBystander = true }
            try video.write(to: folder + "/two.mp4")
            let seen = try faces(in: folder + "/two.mp4", every: 2)
            try #require(seen.allSatisfy { $0.faces.count == 2 })
            let mouths = [0, 1].map { head in seen.map { $0.faces[head].mouthOpening } }
            func speed(_ values: [Double]) -> Double {
                zip(values, values.dropFirst()).map { abs($0 - $1) }.reduce(0, +)
            }
            #expect(speed(mouths[0]) > 4 * speed(mouths[1]))
            #expect((mouths[1].max() ?? 1) < 0.12)

            let heads = Dictionary(grouping: video.truth, by: \.head)
            let bystander = try #require(heads[.bystander])
            #expect(bystander.count == video.frames)
            #expect(bystander.allSatisfy { !$0.speaks && $0.opening == 0 })
            #expect(heads[.speaker]?.contains { $0.speaks } == true)
            let yaws = seen.map { $0.faces[1].pose.yaw }
            #expect(correlation(yaws, seen.map { bystander[$0.frame].yaw }) > 0.8)
            let xs = seen.map { $0.faces[1].box.centre.x }
            #expect(zip(xs, seen).allSatisfy { abs($0 - bystander[$1.frame].x) < 20 })
        }
    }

    @Test func theBackgroundStays() throws {
        let video = try speaker(size: 128)
        let (first, later) = (video.picture(0), video.picture(40))
        #expect(first != later)
        // the upper corners
        for row in 0..<8 {
            for column in Array(0..<8) + Array(120..<128) {
                let at = (row * 128 + column) * 3
                #expect(abs(Int(first[at]) - Int(later[at])) < 12)
            }
        }
    }

    @Test func aPictureWithoutAFaceIsRefused() throws {
        let landscape = Place.package + "/.deps/portraits/landscape.jpg"
        let error = #expect(throws: LoopyError.self) {
            try SpeakerVideo(portrait: landscape, speech: [Place.speech], .init())
        }
        #expect(error?.category == .unsuitable)
        #expect(error?.path == landscape)
    }

    @Test func speechIsSpokenOneAfterTheOtherEquallyLoud() throws {
        try withFolder { folder in
            let quiet = folder + "/quiet.wav"
            _ = try run("ffmpeg", "-v", "error", "-i", Place.speech, "-af", "volume=0.2", quiet)
            var options = SpeakerVideo.Options()
            options.size = 64
            let one = try speaker(size: 64)
            let two = try SpeakerVideo(
                portrait: Place.portrait, speech: [Place.speech, quiet], options)
            #expect(two.samples.count >= 2 * 640 * (one.frames - 1) + 8000)
            let second = two.samples.count - one.samples.count
            let loudness = [0, second].map { start in
                two.samples[start..<(start + one.samples.count - 640)].reduce(0) { $0 + $1 * $1 }
            }
            #expect(abs(loudness[1] / loudness[0] - 1) < 0.05)
        }
    }
}
