import Testing
import Torch

/// Element by element, and over axes.
@Suite struct ArithmeticTests {
    let a = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    let b = Tensor([10, 20, 40] as [Float])

    @Test func shapesBroadcastAsInNumpy() {
        #expect((a + b).floats == [11, 22, 43, 14, 25, 46])
        #expect((a - b[..<1]).floats == [-9, -8, -7, -6, -5, -4])
        #expect((a.unsqueezed(1) * b.unsqueezed(1)).shape == [2, 3, 3])
        #expect((b / b.unsqueezed(1)).floats == [1, 2, 4, 0.5, 1, 2, 0.25, 0.5, 1])
        #expect((-b).floats == [-10, -20, -40])
    }

    @Test func numbersStandOnEitherSide() {
        #expect((b + 0.5).floats == [10.5, 20.5, 40.5])
        #expect((0.5 + b).floats == [10.5, 20.5, 40.5])
        #expect((b - 0.5).floats == [9.5, 19.5, 39.5])
        #expect((0.5 - b).floats == [-9.5, -19.5, -39.5])
        #expect((b * 0.5).floats == [5, 10, 20])
        #expect((0.5 * b).floats == [5, 10, 20])
        #expect((b / 0.5).floats == [20, 40, 80])
        #expect((1 / b).floats == [0.1, 0.05, 0.025])
    }

    @Test func wholeNumbersKeepIntegers() {
        let n = Tensor([1, 2, 3])
        for result in [n + 1, 1 + n, n - 1, 1 - n, n * 2, 2 * n] {
            #expect(result.type == .int64)
        }
        #expect((5 - n).array(of: Int.self) == [4, 3, 2])
        #expect((n / 2).floats == [0.5, 1, 1.5])
        #expect((6 / n).floats == [6, 3, 2])
        #expect((n * 0.5).floats == [0.5, 1, 1.5])
        // A weight in bfloat16 stays one, too.
        #expect((Tensor.ones([1], type: .bfloat16) * 3).type == .bfloat16)
    }

    @Test func inPlaceChangesWhatOthersSee() {
        let x = counting(3)
        let same = x
        x += Tensor.ones([3])
        #expect(same.floats == [1, 2, 3])
        x -= Tensor([0, 1, 1] as [Float])
        x *= Tensor([5] as [Float])
        x *= 2.0
        #expect(same.floats == [10, 10, 20])
    }

    @Test func comparisonsChoose() {
        let large = a > 3
        #expect(large.type == .bool)
        #expect(large.array(of: Bool.self) == [false, false, false, true, true, true])
        #expect(a.where(a < 2, else: -a).floats == [1, -2, -3, -4, -5, -6])
    }

    @Test func equalityIsOfShapeTypeAndElements() {
        #expect(a.isEqual(to: a.copy()))
        #expect(!a.isEqual(to: a + 1))
        #expect(!a.isEqual(to: a.reshaped(3, 2)))
        #expect(!a.isEqual(to: a.to(.float64)))
    }

    @Test func undefinedNumbersAreFound() {
        #expect(a.isFinite)
        #expect(!Tensor([1, .nan] as [Float]).isFinite)
        #expect(!Tensor([1, -.infinity] as [Float]).isFinite)
        #expect(Tensor([1, 2]).isFinite)
    }

    @Test func functionsAgreeWithPyTorch() throws {
        let torch = try fixture("functions.safetensors")
        let functions: [(String, (Tensor) -> Tensor)] = [
            ("abs", { $0.abs() }), ("exp", { $0.exp() }), ("log", { $0.log() }),
            ("sqrt", { $0.sqrt() }), ("sin", { $0.sin() }), ("cos", { $0.cos() }),
            ("square", { $0.square() }), ("floor", { $0.floor() }), ("neg", { -$0 }),
            ("power", { $0.pow(3) }), ("clamped", { $0.clamped(-0.5, 0.8) }),
            ("clamped.above", { $0.clamped(nil, 0.1) }),
        ]
        for (name, function) in functions {
            expectEqual(function(try torch(name + ".x")), try torch(name + ".y"), name)
        }
        expectEqual(try torch("matmul.a").matmul(try torch("matmul.b")), try torch("matmul.y"))
    }

    @Test func reductionsAgreeWithPyTorch() throws {
        let torch = try fixture("functions.safetensors")
        let functions: [(String, (Tensor) -> Tensor)] = [
            ("sum", { $0.sum([0, 2]) }), ("mean", { $0.mean([1], keepDim: true) }),
            ("variance", { $0.variance([0, 1]) }),
            ("variance.corrected", { $0.variance(correction: 1) }),
            ("maximum", { $0.amax([1, 2]) }), ("minimum", { $0.amin([-1], keepDim: true) }),
            ("norm", { $0.norm([0, 1]) }), ("cumulative", { $0.cumsum(1) }),
            ("greatest", { $0.argmax(2) }),
        ]
        for (name, function) in functions {
            expectEqual(function(try torch(name + ".x")), try torch(name + ".y"), name)
        }
    }

    @Test func reductionsWithoutAxesAreOfEverything() {
        #expect(a.sum().scalar == 21 && a.mean().scalar == 3.5 && a.amax().scalar == 6)
        #expect(a.amin().scalar == 1 && Swift.abs(a.norm().scalar - 91.squareRoot()) < 1e-6)
        #expect(a.sum(keepDim: true).shape == [1, 1])
        #expect(Swift.abs(a.variance().scalar - 35.0 / 12) < 1e-6)
        #expect((a > 3).sum().scalar == 3)
    }

    @Test func creationFillsAsAsked() {
        #expect(Tensor.zeros([2], type: .int32).array(of: Int32.self) == [0, 0])
        #expect(Tensor.ones([2], type: .bool).array(of: Bool.self) == [true, true])
        #expect(Tensor.full([2], -1.5).floats == [-1.5, -1.5])
        #expect(Tensor.arange(-1..<2).array(of: Int.self) == [-1, 0, 1])
        #expect(Tensor.linspace(0, 1, count: 5).floats == [0, 0.25, 0.5, 0.75, 1])
        #expect(Tensor.empty([3, 2], type: .float16).shape == [3, 2])
        #expect(a.zerosLike().isEqual(to: .zeros([2, 3])))
        #expect(a.to(.int16).onesLike().isEqual(to: .ones([2, 3], type: .int16)))
    }
}
