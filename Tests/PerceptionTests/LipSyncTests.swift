import Errors
import Foundation
import Media
import Perception
import Storage
import Testing
import Torch

/// Against PyTorch's SyncNet with random weights: Fixtures/make_syncnet.py.
@Suite struct LipSyncTests {
    private func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: Place.fixtures + "syncnet/" + name)))
    }

    private func tensor(_ name: String) throws -> Tensor {
        let array = try NumPyArray(decoding: bytes(name), name: name)
        return Tensor(array.values, shape: array.shape)
    }

    private func speech() throws -> [Int16] {
        try NumPyArray(decoding: bytes("speech.npy"), name: "speech.npy").values.map { Int16($0) }
    }

    private func relativeError(_ x: Tensor, _ expected: Tensor) -> Double {
        (x - expected).norm().scalar / expected.norm().scalar
    }

    private func network() throws -> SyncNet {
        try SyncNet(path: Place.fixtures + "syncnet/syncnet_v2.model", narrowedBy: 16)
    }

    @Test func coefficientsAreThoseOfPythonSpeechFeatures() throws {
        let expected = try tensor("mfcc.npy")
        let found = MFCC.features(try speech())
        #expect(found.shape == expected.shape)
        #expect((found - expected).abs().amax().scalar < 1e-4)
    }

    @Test func embeddingsAgreeWithPyTorch() throws {
        let network = try network()
        let side = SyncNet.side, frames = 10
        var pixels: [Float] = []
        for t in 0..<frames {
            for y in 0..<side {
                for x in 0..<side {
                    // The script's pattern is BGR.
                    for c in (0..<3).reversed() {
                        let value =
                            x * (3 + c) + y * (5 + 2 * t) + x * y / (17 + c) + 31 * t + 67 * c
                        pixels.append(Float(value % 256))
                    }
                }
            }
        }
        let lips = network.embedLips(Tensor(pixels, shape: [frames, side, side, 3]))
        #expect(relativeError(lips, try tensor("lips.npy")) < 1e-5)

        let features = MFCC.features(try speech())
        let windows = frames - 4
        let sound = network.embedSound(features[.all, 0..<((windows - 1) * 4 + 20)])
        #expect(relativeError(sound, try tensor("sounds.npy")) < 1e-5)
    }

    private struct Score: Decodable {
        struct Values: Decodable { let offset: Int, confidence: Double, distance: Double }
        let offset: Int, confidence: Double, distance: Double
        let interior: Values?
    }

    @Test(arguments: ["pairs-60", "pairs-45", "pairs-33", "pairs-9"])
    func scoresAgreeWithThePublishedProcedure(name: String) throws {
        let scores: [String: Score] = Reference.load("syncnet/scores.json")
        let expected = try #require(scores[name])
        let pairs = try tensor(name + ".npy")
        let (all, interior) = LipSyncScore.score(lips: pairs[0], sound: pairs[1])
        #expect(all.offset == expected.offset)
        #expect(abs(all.confidence - expected.confidence) < 1e-4)
        #expect(abs(all.distance - expected.distance) < 1e-4)
        #expect(interior?.offset == expected.interior?.offset)
        if let interior, let expected = expected.interior {
            #expect(abs(interior.distance - expected.distance) < 1e-4)
        }
    }

    @Test func aFaceIsCutOutAsThePublishedPipelineDoes() {
        // Half side 50 around (200, 100): columns 130 to 270, rows 50 to 190.
        let box = Box(left: 150, top: 60, right: 250, bottom: 140)
        var boxes = Array(repeating: box, count: 20)
        boxes[7] = Box(left: 0, top: 0, right: 10, bottom: 10)  // one wrong box is smoothed away
        for crop in LipSync.faceCrops(boxes) {
            #expect(crop.x0 == 130)
            #expect(crop.y0 == 50)
            #expect(abs(crop.xx * 224 - 140) < 1e-9)
            #expect(abs(crop.yy * 224 - 140) < 1e-9)
        }
    }

    @Test func otherWeightsAreSaid() {
        let path = Place.fixtures + "syncnet/syncnet_v2.model"
        let error = #expect(throws: LoopyError.self) { try SyncNet(path: path) }
        #expect(error?.message.contains("syncnet_v2.model") == true)
        #expect(error?.message.contains("netcnnlip.0.weight is [6, 3, 5, 7, 7], not [96") == true)
    }
}
