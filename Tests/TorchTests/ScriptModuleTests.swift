import Errors
import Foundation
import Testing
import Torch

@Suite struct ScriptModuleTests {
    /// A traced network: Tests/PerceptionTests/Fixtures/make_dwpose.py.
    private static let detector =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
        + "/PerceptionTests/Fixtures/dwpose/detector.pt"

    @Test func runsTheSameEveryTime() throws {
        let module = try ScriptModule(path: Self.detector)
        let input = Tensor.zeros([1, 3, 640, 640]) + 100
        let first = try module(input)
        #expect(first.map(\.shape) == [[1, 8400, 85]])
        // A graph is optimised in its second run.
        for _ in 0..<3 {
            #expect(try module(input)[0].array(of: Float.self) == first[0].array(of: Float.self))
        }
        // Objectness and classes are probabilities.
        let scores = first[0][.all, .all, 4..<85]
        #expect(scores.array(of: Float.self).allSatisfy { (0...1).contains($0) })
    }

    @Test func recordsNoGradients() throws {
        let module = try ScriptModule(path: Self.detector)
        let input = Tensor.zeros([1, 3, 640, 640])
        #expect(try !module(input)[0].requiresGradient)
    }

    @Test func namesTheFileThatIsNoTorchScript() throws {
        let weights = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        let path = weights + "/ScriptModuleTests.swift"
        for path in [path, "/nowhere/network.pt"] {
            let error = #expect(throws: LoopyError.self) { try ScriptModule(path: path) }
            #expect(error?.category == .malformed)
            #expect(error?.message.hasPrefix(path + ": cannot be read as TorchScript") == true)
        }
    }

    @Test func anInputThatDoesNotFitIsAnError() throws {
        let module = try ScriptModule(path: Self.detector)
        let error = #expect(throws: LoopyError.self) { try module(.zeros([1, 4, 640, 640])) }
        #expect(error?.message.hasPrefix(Self.detector + ": does not take float32[1, 4") == true)
    }
}
