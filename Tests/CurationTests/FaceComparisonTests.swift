import Curation
import Dataset
import Testing

@Suite struct FaceComparisonTests {
    private func face(
        _ frames: Range<Int>, height: Double = 100, mouth: Double? = 0.5
    ) -> (frames: Range<Int>, metrics: Metrics) {
        var metrics = Metrics.unmeasured
        metrics[.faceHeight] = height
        metrics[.mouthInSpeech] = mouth
        return (frames, metrics)
    }

    @Test func theOnlyFaceIsTheSpeaker() {
        let compared = comparedFaces([face(0..<100)])
        #expect(compared[0][.otherFaces] == 0)
        #expect(compared[0][.speaker] == 1)
        #expect(comparedFaces([face(0..<100, mouth: nil)])[0][.speaker] == nil)
        #expect(comparedFaces([]).isEmpty)
    }

    @Test func theBusiestMouthSpeaks() {
        let compared = comparedFaces([face(0..<100, mouth: 0.8), face(0..<100, mouth: 0.2)])
        #expect(compared.map { $0[.speaker] } == [1, 0.25])
        #expect(compared.map { $0[.otherFaces] } == [1, 1])
    }

    @Test func aBriefFaceDoesNotTakeTheFloor() {
        let compared = comparedFaces([face(0..<100), face(60..<100, mouth: 2)])
        #expect(compared[0][.speaker] == 1)
        #expect(compared[0][.otherFaces] == 0.4)
        // All of the brief one's time is shared.
        #expect(compared[1][.otherFaces] == 1)
    }

    @Test func facesMuchSmallerDoNotCount() {
        let compared = comparedFaces([face(0..<100), face(0..<100, height: 49, mouth: 2)])
        #expect(compared[0][.otherFaces] == 0)
        #expect(compared[0][.speaker] == 1)
        #expect(compared[1][.otherFaces] == 1)
    }

    /// One after another, or several at once: their mean number.
    @Test func otherFacesAreAddedUp() {
        let compared = comparedFaces([
            face(100..<200), face(0..<130), face(150..<190), face(120..<160), face(195..<400),
        ])
        // 30, 40, 40 and 5 of 100 pictures
        #expect(compared[0][.otherFaces] == 1.15)
    }

    /// A listener does not cost the speaker; a crowd does.
    @Test func onlyCrowdsBreakTheRule() {
        func broken(_ faces: Int) -> Metric? {
            var metrics = comparedFaces((0..<faces).map { _ in face(0..<100) })[0]
            metrics[.speaker] = 1
            return Rules().judge(metrics, [.otherFaces]).broken?.metric
        }
        #expect(broken(2) == nil && broken(4) == nil)
        #expect(broken(5) == .otherFaces)
    }
}
