import Evaluation
import Foundation
import Testing

@Suite struct CameraTests {
    /// A face before a wall that stands still, and a camera that looks at them.
    private func video(_ folder: Folder, _ name: String, camera: String) throws -> String {
        try folder.video(
            name, of: "single_face.mp4", seconds: 1.2,
            filters: "fps=25,crop=320:320:140:40[face];nullsrc=s=800x600:r=25,"
                + "geq=lum='random(1)*255':cb=128:cr=128,gblur=sigma=3,eq=contrast=3,"
                + "trim=end_frame=1,loop=loop=-1:size=1[wall];"
                + "[wall][face]overlay=240:240:shortest=1,crop=640:480:" + camera)
    }

    @Test func aMovingCameraIsTakenOut() throws {
        let folder = try Folder()
        let evaluation = MotionEvaluation(threads: 1)
        let still = try evaluation.report(video(folder, "still.mp4", camera: "80:80"))
        let truth = try #require(still.stabilised)
        #expect(truth.windows == still.windows)
        #expect(abs(log(truth.glo / still.glo)) < 0.02)
        #expect(abs(log(truth.exp / still.exp)) < 0.02)
        let scale = Double(still.side * still.side)

        let wandering = try evaluation.report(
            video(folder, "wandering.mp4", camera: "80+50*sin(n/5):80+25*sin(n/3)"))
        let steady = try #require(wandering.stabilised)
        #expect(steady.windows == wandering.windows)
        // In pixels: the crop that would be cut is larger where the camera moves.
        let pixels = Double(wandering.side * wandering.side)
        #expect(wandering.glo * pixels > 50 * still.glo * scale)
        // Key points are a little less exact where the face wanders.
        #expect(abs(log(steady.glo * pixels / (truth.glo * scale))) < 0.5)
        #expect(abs(log(steady.exp * pixels / (truth.exp * scale))) < 0.5)

        // Turning and zooming change where points stand about the nose, too.
        let turning = try evaluation.report(
            video(
                folder, "turning.mp4",
                camera: "80:80,rotate=0.05*sin(n/4):bilinear=1,crop=560:420,"
                    + "zoompan=z=1.1+0.08*sin(on/6):x=iw/2-iw/zoom/2:y=ih/2-ih/zoom/2:d=1:"
                    + "s=560x420:fps=25"))
        let upright = try #require(turning.stabilised)
        let larger = Double(turning.side * turning.side)
        #expect(turning.exp * larger > 3 * still.exp * scale)
        // Seen through a zoom of about 1.15.
        #expect(abs(log(upright.glo * larger / (truth.glo * scale * 1.15 * 1.15))) < 0.5)
        #expect(abs(log(upright.exp * larger / (truth.exp * scale * 1.15 * 1.15))) < 0.5)
    }

    /// A plain wall shows no motion: nothing is made up.
    @Test func aPlainBackgroundHasNoCameraMotion() throws {
        let folder = try Folder()
        let plain = try folder.video(
            "plain.mp4", of: "single_face.mp4", seconds: 0.8,
            filters: "fps=25,crop=300:300:150:40,scale=128:128,pad=512:512:192:192:gray")
        let report = try MotionEvaluation(threads: 1).report(plain)
        #expect(report.windows > 0)
        #expect(report.stabilised == nil)
    }
}
