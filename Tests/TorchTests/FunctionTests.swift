import Testing
import Torch
import Weights

/// Against PyTorch's numbers.
@Suite struct FunctionTests {
    private let torch: Checkpoint

    init() throws { torch = try fixture("functions.safetensors") }

    private func stored(_ name: String) -> Tensor? { torch.tensor(name).map { Tensor($0) } }

    @Test("convolutions agree", arguments: 1...3)
    func convolutionsAgree(axes: Int) throws {
        func check(
            _ kind: String, stride: [Int] = [1], padding: [Int] = [0], dilation: [Int] = [1],
            groups: Int = 1
        ) throws {
            let name = "convolution\(axes).\(kind)"
            let y = convolution(
                try torch(name + ".x"), try torch(name + ".weight"), stored(name + ".bias"),
                stride: stride, padding: padding, dilation: dilation, groups: groups)
            expectEqual(y, try torch(name + ".y"), name)
        }
        try check("plain")
        try check(
            "strided", stride: Array([2, 1, 3][..<axes]), padding: Array([1, 2, 1][..<axes]))
        try check("grouped", stride: [2], padding: [1], groups: 2)
        try check("dilated", padding: [1], dilation: Array([2, 1, 1][..<axes]))
    }

    @Test func linearMapsAgree() throws {
        for name in ["linear", "linear.unbiased"] {
            let y = linear(
                try torch(name + ".x"), try torch(name + ".weight"), stored(name + ".bias"))
            expectEqual(y, try torch(name + ".y"), name)
        }
    }

    @Test func poolingAgrees() throws {
        let y = maxPool2d(
            try torch("pooling.x"), size: [3, 2], stride: [2, 1], padding: [1, 0])
        expectEqual(y, try torch("pooling.y"))
    }

    @Test func normsAgree() throws {
        expectEqual(
            groupNorm(
                try torch("groups.x"), groups: 3, stored("groups.weight"), stored("groups.bias"),
                epsilon: 1e-3),
            try torch("groups.y"))
        expectEqual(
            groupNorm(try torch("groups.plain.x"), groups: 2, nil, nil, epsilon: 1e-5),
            try torch("groups.plain.y"))
        expectEqual(
            layerNorm(
                try torch("layer.x"), stored("layer.weight"), stored("layer.bias"), over: [3, 4],
                epsilon: 1e-3),
            try torch("layer.y"))
        expectEqual(
            layerNorm(try torch("layer.plain.x"), nil, nil, over: [4], epsilon: 1e-5),
            try torch("layer.plain.y"))
    }

    @Test func activationsAgree() throws {
        let functions: [(String, (Tensor) -> Tensor)] = [
            ("gelu", { $0.gelu() }), ("silu", { $0.silu() }), ("relu", { $0.relu() }),
            ("sigmoid", { $0.sigmoid() }), ("tanh", { $0.tanh() }),
            ("softmax.first", { $0.softmax(0) }), ("softmax.last", { $0.softmax(-1) }),
        ]
        for (name, function) in functions {
            expectEqual(function(try torch(name + ".x")), try torch(name + ".y"), name)
        }
        let x = try torch("gelu.x").copy()
        expectEqual(x.geluInPlace(), try torch("gelu.y"))
        expectEqual(x, try torch("gelu.y"))
    }

    @Test("attention agrees", arguments: ["attention", "attention.truth", "attention.added"])
    func attentionAgrees(name: String) throws {
        let y = scaledDotProductAttention(
            try torch(name + ".query"), try torch(name + ".key"), try torch(name + ".value"),
            mask: stored(name + ".mask"))
        expectEqual(y, try torch(name + ".y"))
    }

    @Test("interpolation agrees", arguments: 1...3, ["larger", "smaller"])
    func interpolationAgrees(axes: Int, change: String) throws {
        let kinds: [(Interpolation, Bool)] = [
            (.nearest, false), (.linear, false), (.linear, true), (.bicubic, false),
            (.bicubic, true),
        ]
        for (kind, corners) in kinds where kind != .bicubic || axes == 2 {
            let name = "resized\(axes).\(change).\(kind)" + (corners ? ".corners" : "")
            let expected = try torch(name + ".y")
            let y = interpolate(
                try torch(name + ".x"), size: Array(expected.shape[2...]), kind,
                alignCorners: corners)
            expectEqual(y, expected, name)
        }
    }

    @Test func aKindThatDoesNotFitTheAxesTraps() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = interpolate(.zeros([1, 1, 4]), size: [8], .bicubic) }
        #expect(said(result).contains("float32[1, 1, 4] cannot be resized to [8] by bicubic"))
    }

    @Test("padding agrees", arguments: zip(1...3, [[2, 1], [1, 2, 0, 3], [1, 0, 2, 1, 1, 2]]))
    func paddingAgrees(axes: Int, amounts: [Int]) throws {
        let kinds: [(String, Padding)] = [
            ("constant", .constant(1.5)), ("reflect", .reflect), ("replicate", .replicate),
        ]
        for (name, kind) in kinds.map({ ("padded\(axes).\($0)", $1) }) {
            expectEqual(pad(try torch(name + ".x"), amounts, kind), try torch(name + ".y"), name)
        }
    }

    @Test func paddingBelowZeroCuts() throws {
        expectEqual(pad(try torch("padded.cut.x"), [-2, 3]), try torch("padded.cut.y"))
    }

    @Test func embeddingAgrees() throws {
        expectEqual(
            embedding(try torch("embedding.table"), try torch("embedding.indices")),
            try torch("embedding.y"))
    }

    @Test("spectra agree", arguments: [10, 7, 16])
    func spectraAgree(length: Int) throws {
        let x = try torch("spectrum\(length).x")
        expectEqual(powerSpectrum(x, length: length), try torch("spectrum\(length).y"))
        let (real, imaginary) = fourierTransform(x, length: length)
        expectEqual(real, try torch("fourier\(length).y"))
        expectEqual(imaginary, try torch("fourier\(length).imaginary"))
        // And back: what was cut off is gone, what was added is zero.
        let back = inverseFourierTransform(real: real, imaginary: imaginary, length: length)
        let kept = min(length, 10)
        expectEqual(back[.all, ..<kept], x[.all, ..<kept])
        #expect(back[.all, kept...].abs().sum().scalar < 1e-5)
    }

    @Test func aTransformIsAsLongAsItsSignal() throws {
        let x = try torch("fourier10.x")
        expectEqual(fourierTransform(x).real, try torch("fourier10.y"))
    }

    @Test func lossesAgree() throws {
        let loss = mseLoss(try torch("loss.x"), try torch("loss.target"))
        expectEqual(loss, try torch("loss.y"))
    }
}
