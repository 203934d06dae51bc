import Report
import Testing

@Suite struct MetricScaleTests {
    /// Values as metrics have them: to six decimals, some of them far out, some at round numbers.
    private static let values: [Double] = {
        var numbers = SystemRandomNumberGenerator()
        let usual = (0..<3000).map { _ in Double.random(in: 0...1, using: &numbers) }
        let round = (0...100).map { Double($0) / 100 }
        return (usual + round + [25, -3, 1e4]).map { ($0 * 1e6).rounded() / 1e6 }
    }()

    @Test func codesBreakALimitWhereValuesDo() {
        let scale = MetricScale(Self.values, limits: [0.123456])
        for (index, edge) in scale.edges.enumerated() {
            for value in Self.values {
                let code = Int(scale.code(value))
                #expect((code < 2 * index) == (value < edge), "\(value) and \(edge)")
                #expect((code > 2 * index) == (value > edge), "\(value) and \(edge)")
            }
        }
        #expect(scale.code(nil) == MetricScale.unmeasured)
    }

    @Test func limitsInUseAndRoundNumbersCanBeChosen() {
        let scale = MetricScale(Self.values, limits: [0.123456, 7])
        for limit in [0.123456, 7, 0.1, 0.3, 0.55] {
            #expect(scale.edges.contains(limit), "\(limit)")
        }
        // What is written into settings is short.
        for edge in scale.edges where edge != 0.123456 {
            #expect("\(edge)".count <= 9, "\(edge)")
        }
        #expect(scale.edges.count < 2000)
    }

    @Test func aMetricThatNothingMeasuredHasItsLimitsAlone() {
        #expect(MetricScale([], limits: [0.5, 0.25]).edges == [0.25, 0.5])
        #expect(MetricScale([], limits: []).edges == [0])
        let one = MetricScale([3], limits: [])
        #expect(one.edges.first.map { $0 <= 3 } == true && one.edges.contains(3))
    }
}
