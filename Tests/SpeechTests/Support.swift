import Foundation
import Speech
import Storage
import Torch

func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/" + name).path
}

/// A float32 array of numpy's.
func tensor(_ name: String) throws -> Tensor {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
    let array = try NumPyArray(decoding: [UInt8](data), name: name)
    return Tensor(array.values, shape: array.shape)
}

/// The committed piece of speech, -1 to 1.
func speechSamples() throws -> [Float] {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture("speech.npy")))
    return try NumPyArray(decoding: [UInt8](data), name: "speech.npy").values.map { $0 / 32768 }
}

func speech() throws -> Recording { Recording(try speechSamples()) }

/// Of the difference to what is expected, in the Euclidean norm.
func relativeError(_ x: Tensor, _ expected: Tensor) -> Double {
    (x - expected).norm().scalar / expected.norm().scalar
}
