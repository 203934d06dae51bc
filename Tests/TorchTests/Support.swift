import Foundation
import Testing
import Torch
import Weights

/// What PyTorch computed: Fixtures/make_fixtures.py.
func fixture(_ name: String) throws -> Checkpoint {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try Checkpoint(folder.appendingPathComponent("Fixtures/" + name).path)
}

extension Checkpoint {
    /// A tensor that the fixture must have.
    func callAsFunction(_ name: String) throws -> Tensor {
        Tensor(try #require(tensor(name), "\(path) lacks \(name)"))
    }
}

/// Of the difference to what is expected, in the Euclidean norm.
func relativeError(_ x: Tensor, _ expected: Tensor) -> Double {
    guard x.shape == expected.shape else { return .infinity }
    let (x, expected) = (x.to(.float64), expected.to(.float64))
    let scale = max(expected.norm().scalar, 1e-12)
    return (x - expected).norm().scalar / scale
}

/// Checks shape, type and values.
func expectEqual(
    _ x: Tensor, _ expected: Tensor, within tolerance: Double = 2e-6, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let comment = Comment(rawValue: what)
    #expect(x.shape == expected.shape, comment, sourceLocation: sourceLocation)
    #expect(x.type == expected.type, comment, sourceLocation: sourceLocation)
    let error = relativeError(x, expected)
    #expect(error <= tolerance, comment, sourceLocation: sourceLocation)
}

/// `0, 1, 2, …` as float32.
func counting(_ shape: Int...) -> Tensor {
    Tensor.arange(0..<shape.reduce(1, *), type: .float32).reshaped(shape)
}

extension Tensor {
    var floats: [Float] { array() }
}

/// Calls `body` with a folder of its own, which is gone afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/loopy-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// What a process that ended by a bug said, for `#expect(processExitsWith:)`.
func said(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
}

extension Checkpoint {
    /// Opens a file of those bytes.
    init(writing bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        self = try Checkpoint(path)
    }
}
