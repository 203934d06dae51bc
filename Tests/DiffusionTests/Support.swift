import Foundation
import Testing
import Torch
import Weights

func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/" + name).path
}

/// What diffusers computed: Fixtures/make_fixtures.py.
struct Cases {
    private let checkpoint: Checkpoint

    init(_ name: String) throws { checkpoint = try Checkpoint(fixture(name)) }

    func callAsFunction(_ name: String) throws -> Tensor {
        Tensor(try #require(checkpoint.tensor(name), "there is no case \(name)"))
    }

    func has(_ name: String) -> Bool { checkpoint.tensor(name) != nil }
}

/// Of the difference to what is expected, in the Euclidean norm.
func relativeError(_ x: Tensor, _ expected: Tensor) -> Double {
    guard x.shape == expected.shape else { return .infinity }
    return (x - expected).norm().scalar / max(expected.norm().scalar, 1e-12)
}

/// Calls `body` with a folder of its own, which is gone afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "/diffusion-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// A copy of a published folder, with its config.json changed.
func withConfiguration<Result>(
    of network: String, replacing old: String, by new: String, _ body: (String) throws -> Result
) throws -> Result {
    try withFolder { folder in
        let copy = folder + "/" + network
        try FileManager.default.copyItem(atPath: fixture(network), toPath: copy)
        let path = copy + "/config.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(old))
        try text.replacingOccurrences(of: old, with: new)
            .write(toFile: path, atomically: true, encoding: .utf8)
        return try body(copy)
    }
}
