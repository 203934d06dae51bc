import Errors
import Foundation
import Speech
import Testing
import Torch

/// Against what transformers made of the same speech: Fixtures/make_fixtures.py.
@Suite struct Wav2Vec2Tests {
    @Test(
        "every hidden state agrees with transformers",
        arguments: ["base", "large"], Wav2Vec2Encoder.Alignment.allCases)
    func hiddenStatesAgree(layout: String, alignment: Wav2Vec2Encoder.Alignment) throws {
        let encoder = Wav2Vec2Encoder(
            try Wav2Vec2(folder: fixture(layout)), alignment: alignment)
        let features = try encoder.encode(try speech())
        let name = alignment == .beforeEncoder ? "before_encoder" : "after_encoder"
        let expected = try tensor("\(layout)/\(name).npy")
        #expect(features.shape == expected.shape)
        for layer in 0..<encoder.layers {
            #expect(relativeError(features[.all, layer], expected[.all, layer]) < 1e-5)
        }
    }

    @Test func chunksAreJoinedWithoutASeam() throws {
        // Thirty seconds: the same speech again and again, so that it never stops.
        let samples = try speechSamples()
        let long = Recording(Array((0..<14).map { _ in samples }.joined()))
        let network = try Wav2Vec2(folder: fixture("base"))
        let whole = try Wav2Vec2Encoder(network, alignment: .beforeEncoder).encode(long)
        let chunked = try Wav2Vec2Encoder(
            network, alignment: .beforeEncoder,
            chunks: .init(whole: 5, length: 10, context: 5)
        ).encode(long)
        #expect(chunked.shape == whole.shape)
        // Before the first block nothing but positions has been mixed in.
        #expect(relativeError(chunked[.all, 0], whole[.all, 0]) < 1e-5)
        #expect(relativeError(chunked, whole) < 0.15)
        // Joints are as smooth as the rest: differences between neighbours are no larger there.
        let steps = (chunked[1...] - chunked[0..<(chunked.length(0) - 1)]).norm([1, 2])
        let wholeSteps = (whole[1...] - whole[0..<(whole.length(0) - 1)]).norm([1, 2])
        #expect((steps - wholeSteps).abs().amax().scalar < 0.25 * wholeSteps.mean().scalar)
    }

    @Test(arguments: [1, 399, 400, 640])
    func aFrameThatHasBegunIsOneFrame(samples: Int) throws {
        let encoder = Wav2Vec2Encoder(
            try Wav2Vec2(folder: fixture("base")), alignment: .beforeEncoder)
        let features = try encoder.encode(Recording(Array(try speechSamples()[..<samples])))
        #expect(features.shape == [1, 3, 32])
        #expect(features.isFinite)
    }

    @Test func anEmptyRecordingIsSaid() throws {
        let encoder = Wav2Vec2Encoder(
            try Wav2Vec2(folder: fixture("base")), alignment: .afterEncoder)
        let error = #expect(throws: LoopyError.self) { try encoder.encode(Recording([])) }
        #expect(error?.category == .unsuitable)
    }

    @Test func silenceGivesNumbers() throws {
        let encoder = Wav2Vec2Encoder(
            try Wav2Vec2(folder: fixture("base")), alignment: .afterEncoder)
        let features = try encoder.encode(Recording([Float](repeating: 0, count: 16_000)))
        #expect(features.isFinite)
    }

    @Test func anotherArchitectureIsSaid() throws {
        let folder = NSTemporaryDirectory() + "/wav2vec2-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(
            atPath: fixture("large/config.json"), toPath: folder + "/config.json")
        try FileManager.default.copyItem(
            atPath: fixture("base/model.safetensors"), toPath: folder + "/model.safetensors")
        let error = #expect(throws: LoopyError.self) { try Wav2Vec2(folder: folder) }
        #expect(error?.category == .malformed)
        #expect(error?.message.contains("model.safetensors") == true)
        #expect(error?.message.contains("of another network") == true)
        #expect(error?.message.contains("conv_layers.0.conv.bias") == true)
    }
}
