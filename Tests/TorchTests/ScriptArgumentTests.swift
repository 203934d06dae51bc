import Errors
import Foundation
import Testing
import Torch

/// TorchScript that takes truth values by name: Tests/EvaluationTests/Fixtures/make_fixtures.py.
@Suite struct ScriptArgumentTests {
    private static let inception =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
        + "/EvaluationTests/Fixtures/inception.pt"

    @Test func argumentsAreKnownByName() throws {
        let module = try ScriptModule(path: Self.inception)
        #expect(module.takes("return_features"))
        #expect(module.takes("img"))
        #expect(!module.takes("rescale"))
    }

    @Test func argumentsReachTheNetwork() throws {
        let module = try ScriptModule(path: Self.inception)
        let picture = Tensor.full([1, 3, 9, 7], 120, type: .uint8)
        let probabilities = try module(picture)[0]
        let features = try module(picture, flags: ["return_features": true])[0]
        let unnamed = try module(picture, flags: ["return_features": false])[0]
        #expect(probabilities.shape == [1, 6] && features.shape == [1, 6])
        #expect(abs(probabilities.sum().scalar - 1) < 1e-6)
        #expect(unnamed.isEqual(to: probabilities))
        let softmax = features.softmax(1)
        #expect((softmax - probabilities).abs().amax().scalar < 1e-6)
        #expect(abs(features.sum().scalar - 1) > 1e-3)
    }

    @Test func anArgumentThatIsNotThereIsAnError() throws {
        let module = try ScriptModule(path: Self.inception)
        let picture = Tensor.zeros([1, 3, 8, 8], type: .uint8)
        let error = #expect(throws: LoopyError.self) {
            try module(picture, flags: ["return_feature": true])
        }
        #expect(error?.category == .malformed)
        #expect(error?.message.hasPrefix(Self.inception + ": ") == true)
    }
}
