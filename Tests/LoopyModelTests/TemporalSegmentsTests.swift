import LoopyModel
import Testing
import Torch

/// The temporal segment module of section 3.2.
@Suite struct TemporalSegmentsTests {
    /// By hand, from the paper's example: stride 4, ratio 2, segments of 4, 8, 16, 32, 64 frames.
    private let table: [Range<Int>] = [
        0..<1, 1..<2, 2..<3, 3..<4,
        4..<6, 6..<8, 8..<10, 10..<12,
        12..<16, 16..<20, 20..<24, 24..<28,
        28..<36, 36..<44, 44..<52, 52..<60,
        60..<76, 76..<92, 92..<108, 108..<124,
    ]

    /// Frames whose only value is their number: 0 is the oldest.
    private func history(_ count: Int) -> Tensor {
        Tensor.arange(0..<count, type: .float32).reshaped(count, 1, 1, 1)
    }

    @Test func spansAreThoseOfTheFormula() {
        #expect(TemporalSegments().spans == table)
        #expect(TemporalSegments().count == 20)
        for (element, span) in TemporalSegments().spans.enumerated() {
            let k = element / 4
            let start = (0..<k).reduce(0) { $0 + 4 << $1 } + (element % 4) << k
            #expect(span == start..<(start + 1 << k))
        }
    }

    @Test func uniformTakesTheMiddleFrames() {
        let (frames, isPresent) = TemporalSegments().abstract(history(124))
        #expect(frames.shape == [20, 1, 1, 1])
        #expect(isPresent == Array(repeating: true, count: 20))
        let backwards = [0, 1, 2, 3, 5, 7, 9, 11, 14, 18, 22, 26, 32, 40, 48, 56, 68, 84, 100, 116]
        // In the order of time.
        #expect(frames.array() == backwards.reversed().map { Float(123 - $0) })
    }

    @Test func meanAndRandomStayInTheirSpans() throws {
        var segments = TemporalSegments()
        segments.abstraction = .mean
        let means: [Float] = segments.abstract(history(124)).frames.array()
        #expect(
            means
                == table.reversed().map { span in
                    123 - Float(span.lowerBound + span.upperBound - 1) / 2
                })
        segments.abstraction = .random
        let generator = try Generator(seed: 1)
        var seen: Set<Float> = []
        for _ in 0..<200 {
            let drawn: [Float] = segments.abstract(history(124), generator: generator).frames
                .array()
            for (value, span) in zip(drawn, table.reversed()) {
                #expect(span.contains(123 - Int(value)))
            }
            seen.formUnion(drawn)
        }
        #expect(seen.count > 100)
    }

    @Test("histories of 0 to 124 frames", arguments: TemporalSegments.Abstraction.allCases)
    func shortHistories(abstraction: TemporalSegments.Abstraction) throws {
        var segments = TemporalSegments()
        segments.abstraction = abstraction
        let generator = try Generator(seed: 1)
        for count in 0...124 {
            let (frames, isPresent) = segments.abstract(history(count), generator: generator)
            #expect(frames.shape == [20, 1, 1, 1])
            let values: [Float] = frames.array()
            for (element, span) in table.reversed().enumerated() {
                #expect(isPresent[element] == (span.lowerBound < count))
                guard isPresent[element] else {
                    #expect(values[element] == 0)
                    continue
                }
                let backwards = Float(count - 1) - values[element]
                #expect(backwards >= Float(span.lowerBound))
                #expect(backwards < Float(min(span.upperBound, count)))
            }
        }
    }

    @Test func motionFramesRiseWithTimeUpToTheClip() {
        for count in [1, 5, 124, 500] {
            let (frames, isPresent) = TemporalSegments().abstract(history(count))
            let values: [Float] = frames.array()
            let present = zip(values, isPresent).filter(\.1).map(\.0)
            #expect(present == present.sorted())
            #expect(isPresent == isPresent.sorted { !$0 && $1 })
            #expect(present.last == Float(count - 1))
        }
    }

    @Test func positionsAreLessLikeTheClipsFirstTheFartherTheyAre() throws {
        let configuration = LoopyConfiguration.tiny
        let store = ParameterStore(drawing: try Generator(seed: 0))
        _ = try LoopyNet(store.root, configuration)
        let name =
            "denoising_net.down_blocks.0.inter_clip.0.transformer_blocks.0.attention_blocks.0"
            + ".pos_encoder.pe"
        let table = try #require(store[name])[0]
        let count = configuration.motionFrames
        #expect(table.length(0) == count + configuration.frames)
        func similarity(_ position: Int) -> Double {
            (table[position] * table[count]).sum().scalar
        }
        // Motion frames stand in the table as the segments give them: the nearest last.
        let similarities = (1...count).map { similarity(count - $0) }
        #expect(Array(similarities[..<4]) == similarities[..<4].sorted(by: >))
        #expect(similarities.max() == similarities[0])
        #expect(similarities[..<4].min()! > similarities[10...].max()!)
    }

    @Test func onlyTheLastFramesCount() {
        let long = TemporalSegments().abstract(history(500)).frames.array(of: Float.self)
        let short = TemporalSegments().abstract(history(124)).frames.array(of: Float.self)
        #expect(long.map { $0 - 376 } == short)
    }

    @Test func otherSegmentsAreConfiguration() {
        var segments = TemporalSegments()
        segments.stride = 2
        segments.ratio = 3
        segments.motionFrames = 26
        #expect(segments.spans == [0..<1, 1..<2, 2..<5, 5..<8, 8..<17, 17..<26])
        segments.motionFrames = 25
        #expect(segments.count == 5)
        segments.motionFrames = 0
        #expect(segments.count == 0)
        let none = segments.abstract(.zeros([3, 4, 2, 2]))
        #expect(none.frames.shape == [0, 4, 2, 2] && none.isPresent.isEmpty)
    }
}
