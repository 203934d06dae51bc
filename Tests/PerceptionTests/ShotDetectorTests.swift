import Media
import Perception
import Testing

@Suite struct ShotDetectorTests {
    /// Places at which a new shot begins.
    private func cuts(_ frames: [VideoFrame]) -> [Int] {
        var detector = ShotDetector()
        return frames.indices.filter { detector.isCut(frames[$0]) }
    }

    private let face = ["-i", Place.sample("single_face.mp4")]
    private let other = ["-i", Place.sample("WolfgangLanger_Pexels.mp4")]
    /// A still picture, twice as wide as what is shown of it.
    private let wide = [
        "-ss", "5", "-t", "0.04", "-i", Place.sample("WolfgangLanger_Pexels.mp4"),
    ]

    @Test func findsAHardCutWhereItIs() throws {
        let filter = """
            [0:v]fps=25,trim=end_frame=20,setsar=1[a];[1:v]fps=25,trim=end_frame=20,setsar=1,\
            setpts=PTS-STARTPTS[b];[a][b]concat=n=2
            """
        let frames = try pictures(face + other, filter: filter, seconds: 1.6)
        #expect(frames.count == 40)
        #expect(cuts(frames) == [20])
    }

    /// Its only cut is at 3.2 seconds, as ffmpeg's scene score says too.
    @Test func findsTheCutOfARealFilm() throws {
        let reader = try VideoReader(path: Place.sample("shot_change.mp4"), threads: 1)
        var frames: [VideoFrame] = []
        while let next = try reader.next() { frames.append(next.frame) }
        #expect(frames.count > 100)
        #expect(cuts(frames) == [80])
    }

    @Test func findsEveryCutOfAQuickSequence() throws {
        let colours = ["red", "green", "blue", "white"].map {
            ["-f", "lavfi", "-i", "color=\($0):s=160x90:r=25:d=0.2"]
        }
        let frames = try pictures(
            colours.flatMap { $0 }, filter: "[0][1][2][3]concat=n=4", seconds: 0.8)
        #expect(cuts(frames) == [5, 10, 15])
    }

    @Test func motionWithinAShotIsNoCut() throws {
        for input in [face, other] {
            let frames = try pictures(input, filter: "[0:v]fps=25", seconds: 2.4)
            #expect(frames.count > 50)
            #expect(cuts(frames) == [])
        }
    }

    @Test func aFadeIsNoCut() throws {
        let filter = "[0:v]fps=25,fade=out:st=0.4:d=1"
        #expect(cuts(try pictures(face, filter: filter, seconds: 1.6)) == [])
    }

    /// A camera that begins to swing by a twentieth of the picture's width a frame.
    @Test func aPanIsNoCut() throws {
        let filter = """
            [0:v]loop=60:1,fps=25,setpts=N/25/TB,crop=320:240:'clip((n-10)*10,0,320)':60
            """
        let frames = try pictures(wide, filter: filter, seconds: 2)
        #expect(cuts(frames) == [])
    }

    /// Light that floods one picture looks like another shot, and the picture after it like a third.
    @Test func aFlashIsTwoCuts() throws {
        let filter = "[0:v]fps=25,lutyuv=y=235:u=128:v=128:enable='eq(n,20)'"
        #expect(cuts(try pictures(face, filter: filter, seconds: 1.6)) == [20, 21])
    }

    @Test func theFirstPictureIsNoCut() throws {
        let frame = try picture(Place.sample("single_face.mp4"))
        #expect(cuts([frame, frame]) == [])
    }
}
