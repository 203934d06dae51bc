import Curation
import Dataset
import Storage
import TestSupport
import Testing

@Suite struct MeasurePlanTests {
    private func plan(_ lengths: [Int], seconds: Double = 60) throws -> MeasurePlan {
        MeasurePlan(
            try lengths.enumerated().map { try makeSource("source \($0)", frames: $1) },
            unitSeconds: seconds)
    }

    private func stretches(_ plan: MeasurePlan) -> [Stretch] {
        plan.units.flatMap(plan.stretches)
    }

    /// Sound that ends before the pictures ends the candidates; a little less is filled with silence.
    @Test func measuringEndsWithTheSound() throws {
        func last(_ soundEnd: Double?, spans: [AnnotatedSpan]? = nil) throws -> Range<Int>? {
            var source = try makeSource("a", frames: 150)
            source.probe?.audio?.end = soundEnd
            source.spans = spans
            return stretches(MeasurePlan([source], unitSeconds: 60)).last?.frames
        }
        #expect(try last(4.5) == 0..<112)
        #expect(try last(5.5) == 0..<137)
        // A whole source is open at its end.
        let whole = 0..<400
        #expect(try last(5.501) == whole)
        #expect(try last(6) == whole && last(9) == whole && last(nil) == whole)
        // Without a frame of sound the rules say what is wrong.
        #expect(try last(0.03) == whole && last(-1) == whole)
        #expect(
            try last(4.5, spans: [AnnotatedSpan(name: "s", start: 2, end: 5)]) == 50..<112)
        #expect(try last(4.5, spans: [AnnotatedSpan(name: "s", start: 2, end: 4)]) == 50..<100)
    }

    /// Work on the whole source is other work than work on a part of it.
    @Test func aSourceThatEndsWithItsSoundHasANameOfItsOwn() throws {
        var source = try makeSource("a", frames: 150)
        let whole = MeasurePlan([source], unitSeconds: 60).units.map(\.digest)
        source.probe?.audio?.end = 4.5
        #expect(MeasurePlan([source], unitSeconds: 60).units.map(\.digest) != whole)
    }

    /// Units of another length are other units, although they begin where these did.
    @Test(arguments: [600.0, 30])
    func noUnitIsTakenForOneOfAnotherLength(seconds: Double) throws {
        let former = Set(try plan([4500]).units.map(\.digest))
        #expect(former.count == 3)
        #expect(former.isDisjoint(with: try plan([4500], seconds: seconds).units.map(\.digest)))
    }

    @Test func everyFrameIsInOneStretch() throws {
        var numbers = FixedNumbers(3)
        let lengths = (0..<200).map { _ in Int.random(in: 1...20_000, using: &numbers) }
        let plan = try plan(lengths)
        let bySource = Dictionary(grouping: stretches(plan), by: \.source.path)
        #expect(bySource.count == lengths.count)
        for (index, length) in lengths.enumerated() {
            let pieces = try #require(bySource["/videos/source \(index).mp4"])
            #expect(pieces[0].frames.lowerBound == 0)
            for (a, b) in zip(pieces, pieces.dropFirst()) {
                #expect(a.frames.upperBound == b.frames.lowerBound)
            }
            // The last one is open: containers understate their length.
            let last = try #require(pieces.last)
            #expect(last.frames.upperBound > length)
            #expect(last.frames.lowerBound < length)
            // Equal to a frame, and not much longer than a unit.
            let sizes = pieces.map { min($0.frames.upperBound, length) - $0.frames.lowerBound }
            #expect(sizes.max()! - sizes.min()! <= 1)  // there is a piece
            #expect(sizes.allSatisfy { $0 <= 1500 * 3 / 2 })
        }
        let names = plan.units.flatMap(\.items)
        #expect(Set(names).count == names.count)
    }

    @Test func aLongSourceIsSharedOut() throws {
        // two hours
        let plan = try plan([2 * 3600 * 25])
        #expect(plan.units.count == 120)
        #expect(plan.units.map(\.name).prefix(2) == ["00000", "00001"])
        #expect(plan.units.allSatisfy { $0.items.count == 1 })
    }

    @Test func shortSourcesShareUnits() throws {
        // a thousand of four seconds: 64 minutes and 40 seconds
        let plan = try plan([Int](repeating: 100, count: 1000))
        #expect(plan.units.count >= 54 && plan.units.count <= 68)
        let sizes = plan.units.map { unit in
            plan.stretches(of: unit).reduce(0) { $0 + min($1.frames.count, 100) }
        }
        #expect(sizes.allSatisfy { $0 <= 1500 * 5 / 4 })
        // one frame each: bounded by number, not by length
        let tiny = try self.plan([Int](repeating: 1, count: 1000))
        #expect(tiny.units.allSatisfy { $0.items.count <= 64 })
    }

    @Test func addingSourcesKeepsFormerUnits() throws {
        var numbers = FixedNumbers(5)
        let lengths = (0..<60).map { _ in Int.random(in: 20...6000, using: &numbers) }
        let former = try plan(Array(lengths[..<40])).units
        let units = try plan(lengths).units
        // Only the last one, which was not full, may take up more.
        #expect(Array(units.prefix(former.count - 1)) == Array(former.dropLast()))
        #expect(try plan(lengths).units == units)
    }

    @Test func sourcesThatCannotBeUsedHaveNoStretch() throws {
        var broken = Source(digest: Digest.of("x"), path: "/x.mp4", bytes: 0, modified: 0)
        broken.reason = "not-media"
        let good = try makeSource("good", frames: 100)
        let with = MeasurePlan([broken, good], unitSeconds: 60)
        #expect(with.units == MeasurePlan([good], unitSeconds: 60).units)
        #expect(MeasurePlan([broken], unitSeconds: 60).units.isEmpty)
    }

    /// A source of 400 seconds with annotated spans.
    private func annotated(_ spans: [(Double, Double?)]) throws -> [Range<Int>] {
        var source = try makeSource("annotated", frames: 10_000)
        source.spans = spans.enumerated().map {
            AnnotatedSpan(name: "\($0)", start: $1.0, end: $1.1)
        }
        let stretches = stretches(MeasurePlan([source], unitSeconds: 60))
        #expect(Set(stretches.map(\.name)).count == stretches.count)
        return stretches.map(\.frames)
    }

    @Test func onlyAnnotatedSpansAreMeasured() throws {
        #expect(try annotated([(5, 15), (60, 70)]) == [125..<375, 1500..<1750])
        // Whole pictures inside: 81.62 s is picture 2040.5.
        #expect(try annotated([(81.62, 86.17), (0.28, 0.56)]) == [7..<14, 2041..<2154])
        // Two minutes in two pieces, and to the source's end wherever that is.
        #expect(try annotated([(280, nil)]) == [7000..<8500, 8500..<10_250])
        #expect(try annotated([(390, 402)]) == [9750..<10_050])
        #expect(try annotated([(500, 510)]) == [])
    }

    @Test func whereSpansOverlapEveryPictureIsMeasuredOnce() throws {
        #expect(try annotated([(0, 10), (5, 15)]) == [0..<125, 125..<250, 250..<375])
        #expect(try annotated([(0, 10), (0, 10)]) == [0..<250])
        #expect(try annotated([(20, 30), (0, 50)]) == [0..<500, 500..<750, 750..<1250])
    }

    @Test func anotherEndIsOtherWork() throws {
        func unit(_ end: Double) throws -> [WorkUnit] {
            var source = try makeSource("a", frames: 1000)
            source.spans = [AnnotatedSpan(name: "a", start: 1, end: end)]
            return MeasurePlan([source], unitSeconds: 60).units
        }
        #expect(try unit(20) == unit(20))
        #expect(try unit(20) != unit(21))
    }
}
