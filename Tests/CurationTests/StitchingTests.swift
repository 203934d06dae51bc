import Curation
import Dataset
import Foundation
import Perception
import Testing

@Suite struct StitchingTests {
    private func part(
        _ frames: Range<Int>, face: Int = 0, opens: Bool = false, closes: Bool = false,
        first: [Double] = [0, 0, 100, 100], last: [Double] = [0, 0, 100, 100],
        source: String = "s", unit: Int = 0
    ) -> StitchedCandidate.Part {
        var candidate = Candidate(
            outcome: .candidate, source: source, start: frames.lowerBound, end: frames.upperBound,
            face: face)
        candidate.opensAtBorder = opens
        candidate.closesAtBorder = closes
        candidate.firstBox = first
        candidate.lastBox = last
        candidate.metrics[.duration] = Double(frames.count) / 25
        return .init(candidate: candidate, unit: unit)
    }

    @Test func aFaceIsJoinedAcrossBorders() {
        let joined = stitched([
            part(20..<100, closes: true), part(100..<200, face: 3, opens: true, closes: true),
            part(200..<250, opens: true),
        ])
        #expect(joined.count == 1)
        #expect(joined[0].frames == 20..<250)
        #expect(joined[0].parts.count == 3)
        #expect(abs(joined[0].metrics[.duration]! - 230.0 / 25) < 1e-6)  // set above
    }

    /// What each part says of the sound's offset is said of one sound track.
    @Test func curvesOfTheSoundsOffsetAreAveragedByTheTimeOfSpeech() {
        func curve(_ offset: Int, _ height: Double) -> [Double] {
            (-15...15).map { $0 == offset ? height : -10 }
        }
        var (before, after) = (part(0..<100, closes: true), part(100..<200, opens: true))
        before = .init(candidate: with(curve(3, 2), seconds: 9, before.candidate), unit: 0)
        after = .init(candidate: with(curve(3, -2), seconds: 3, after.candidate), unit: 1)
        let joined = stitched([before, after])
        #expect(joined.count == 1)
        #expect(joined[0].syncCurve == curve(3, 1))
        #expect(joined[0].metrics[.syncOffset] == 3)
        let likely = MouthSyncScore(curve: curve(3, 1), seconds: 12).confidence
        #expect(abs(joined[0].metrics[.syncConfidence]! - likely) < 1e-5)  // set above

        // Where nobody spoke, a part says nothing.
        let silent = stitched([before, part(100..<200, opens: true)])
        #expect(silent[0].syncCurve == curve(3, 2))
        #expect(silent[0].metrics[.syncOffset] == 3)
    }

    private func with(
        _ curve: [Double], seconds: Double, _ candidate: Candidate
    ) -> Candidate {
        var candidate = candidate
        candidate.syncCurve = curve
        candidate.metrics[.syncSeconds] = seconds
        return candidate
    }

    @Test func otherPlacesOtherSourcesAndCutsAreNotJoined() {
        let before = part(0..<100, closes: true)
        let after = part(100..<200, opens: true)
        #expect(stitched([before, after]).count == 1)
        var larger = after.candidate
        (larger.width, larger.height) = (1280, 720)
        #expect(stitched([before, .init(candidate: larger, unit: 0)]).count == 2)
        let away = [200.0, 0, 300, 100]
        for next in [
            part(100..<200), part(101..<200, opens: true),
            part(100..<200, opens: true, first: away),
            part(100..<200, opens: true, source: "t"),
        ] {
            #expect(stitched([before, next]).count == 2)
        }
        #expect(stitched([part(0..<100), after]).count == 2)
    }

    @Test func twoFacesAreJoinedEachWithItself() {
        let right = [200.0, 0, 300, 100]
        let joined = stitched([
            part(0..<100, face: 0, closes: true),
            part(50..<100, face: 1, closes: true, first: right, last: right),
            // Numbered the other way round after the border.
            part(100..<200, face: 0, opens: true, first: right, last: right),
            part(100..<180, face: 1, opens: true),
        ])
        #expect(joined.map(\.frames) == [0..<180, 50..<200])
        #expect(joined.map { $0.parts.map(\.candidate.face) } == [[0, 1], [1, 0]])
    }
}
