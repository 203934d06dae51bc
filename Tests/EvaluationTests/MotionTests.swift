import Errors
import Evaluation
import Features
import Foundation
import Perception
import Storage
import Testing

@Suite struct MotionTests {
    /// A square clip gives the mean of its column `motion`.
    @Test func aSquareVideoHasTheMeanOfItsColumn() throws {
        let folder = try Folder()
        let clip = try folder.video(
            "clip.mp4", of: "single_face.mp4", seconds: 1.6,
            filters: "fps=25,crop=320:320:140:40")
        let report = try MotionEvaluation(threads: 1).report(clip)
        #expect(report.protocolName == .squareFrame)
        #expect(report.side == 320)
        #expect(report.frames == 40)
        #expect(report.windows == 29)

        let file = folder.file("keypoints.npy")
        _ = try KeypointsColumn.extract(
            from: clip, to: file, settings: KeypointsSettings(), threads: 1)
        let keypoints = try NumPyArray(
            decoding: [UInt8](Data(contentsOf: URL(fileURLWithPath: file))), name: file)
        let column = try MotionVariance.column(keypoints, side: 320).values
        let glo = stride(from: 0, to: column.count, by: 2).reduce(0.0) { $0 + Double(column[$1]) }
        let exp = stride(from: 1, to: column.count, by: 2).reduce(0.0) { $0 + Double(column[$1]) }
        #expect(report.glo > 0 && report.exp > 0)
        #expect(abs(report.glo / (glo / 29) - 1) < 0.02)
        #expect(abs(report.exp / (exp / 29) - 1) < 0.02)
    }

    /// The planned crop grows with the picture: what is measured does not.
    @Test func theScaleOfAWidePictureIsTheCropsThatWouldBeCut() throws {
        let folder = try Folder()
        let small = try folder.video(
            "small.mp4", of: "single_face.mp4", seconds: 1.2, filters: "fps=25,scale=480:270")
        let large = try folder.video(
            "large.mp4", of: "single_face.mp4", seconds: 1.2, filters: "fps=25,scale=960:540")
        let evaluation = MotionEvaluation(threads: 1)
        let a = try evaluation.report(small), b = try evaluation.report(large)
        #expect(a.protocolName == .plannedCrop && b.protocolName == .plannedCrop)
        #expect(abs(Double(b.side) / Double(a.side) - 2) < 0.05)
        #expect(a.glo > 0 && a.exp > 0)
        // Key points of the smaller picture are less exact.
        #expect(abs(log(a.glo / b.glo)) < 0.5)
    }

    @Test func aVideoWithoutAFaceOrTooShortIsAnError() throws {
        let folder = try Folder()
        let evaluation = MotionEvaluation(threads: 1)
        let without = #expect(throws: LoopyError.self) {
            try evaluation.report(Folder.samples + "/no_face.mp4")
        }
        #expect(without?.message.contains("no_face.mp4") == true)
        let short = try folder.video(
            "short.mp4", of: "single_face.mp4", seconds: 0.3, filters: "fps=25,scale=480:270")
        let error = #expect(throws: LoopyError.self) { try evaluation.report(short) }
        #expect(error?.message.contains("short.mp4") == true)
        #expect(error?.message.contains("12") == true)
    }
}
