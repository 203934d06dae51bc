import Diffusion
import Errors
import Foundation
import Testing
import Torch
import Weights

/// Codecs as files.
@Suite struct PatchPCAFileTests {
    private let codec: PatchPCA
    private let images: Tensor

    init() throws {
        images = Tensor.uniform([2, 3, 16, 16], generator: try Generator(seed: 1)) * 2 - 1
        var statistics = PatchStatistics(size: 2)
        statistics.add(images)
        codec = try PatchPCA(fitting: statistics, channels: 4)
    }

    private func bytes(of codec: PatchPCA) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try codec.write { bytes += $0 }
        return bytes
    }

    private func load(_ bytes: [UInt8]) throws -> PatchPCA {
        let path = FileManager.default.temporaryDirectory.path + "/loopy-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try PatchPCA(try Checkpoint(path))
    }

    /// The message of loading the codec's file with one thing changed.
    private func problem(
        metadata: [String: String] = ["format": "loopy.patch-pca", "version": "1"],
        _ change: (inout [String: Tensor]) -> Void = { _ in }
    ) throws -> String {
        var tensors = [
            "components": codec.components.reshaped(4, 3, 2, 2).copy(),
            "mean": codec.mean.reshaped(3, 2, 2).copy(),
            "explained_variance": Tensor(codec.explainedVariance),
            "total_variance": Tensor([codec.totalVariance], shape: []),
        ]
        change(&tensors)
        var bytes: [UInt8] = []
        try SafeTensors.write(
            tensors: tensors.map { ($0.key, $0.value) }, metadata: metadata
        ) { bytes += $0 }
        let error = #expect(throws: LoopyError.self) { _ = try load(bytes) }
        #expect(error?.category == .malformed)
        return error?.message ?? ""
    }

    @Test func whatIsReadIsWhatWasWritten() throws {
        let file = try bytes(of: codec)
        let read = try load(file)
        #expect(read.factor == codec.factor && read.channels == codec.channels)
        #expect(read.scale == codec.scale && read.totalVariance == codec.totalVariance)
        #expect(read.explainedVariance == codec.explainedVariance)
        #expect(read.components.isEqual(to: codec.components))
        #expect(read.mean.isEqual(to: codec.mean))
        #expect(read.encode(images).isEqual(to: codec.encode(images)))
        let latents = codec.encode(images)
        #expect(read.decode(latents).isEqual(to: codec.decode(latents)))
        #expect(try bytes(of: read) == file)
    }

    @Test func anotherFileIsRefused() throws {
        #expect(try problem(metadata: [:]).contains("is no file of patch components"))
        let metadata = ["format": "loopy.patch-pca", "version": "2"]
        #expect(try problem(metadata: metadata).contains("has version 2, and version 1 is read"))
        #expect(try problem { $0["mean"] = nil }.contains("not [\"components\", \"explained"))
        #expect(try problem { $0["more"] = .zeros([1]) }.contains("\"more\""))
    }

    @Test func impossibleShapesAndTypesAreRefused() throws {
        #expect(
            try problem { $0["components"] = $0["components"]?.reshaped(4, 12) }
                .contains("has components [4, 12]"))
        #expect(
            try problem { $0["components"] = $0["components"]?[..<3] }
                .contains("variances [4]"))
        #expect(
            try problem { $0["mean"] = $0["mean"]?.reshaped(12) }.contains("mean [12]"))
        #expect(
            try problem { $0["components"] = .zeros([0, 3, 2, 2], type: .float64) }
                .contains("has components [0, 3, 2, 2]"))
        #expect(
            try problem { $0["mean"] = $0["mean"]?.to(.float32) }
                .contains("holds mean as float32"))
    }

    @Test func damagedNumbersAreRefused() throws {
        #expect(
            try problem { $0["components"]?[0, 0, 0, 0] = .full([], 0.9, type: .float64) }
                .contains("has components that are not orthonormal"))
        #expect(
            try problem { $0["mean"]?[0, 0, 0] = .full([], .nan, type: .float64) }
                .contains("values that are no numbers"))
        for variances in [[4, 3, 2, -1], [1, 2, 3, 4], [4, 3, 2, 0], [40, 3, 2, 1]] as [[Double]] {
            #expect(
                try problem {
                    $0["explained_variance"] = Tensor(variances)
                    $0["total_variance"] = Tensor([12.0], shape: [])
                }.contains("has variances that no pictures have"))
        }
    }

    @Test func aCutFileIsRefused() throws {
        let file = try bytes(of: codec)
        for length in [0, 7, 100, file.count / 2, file.count - 1] {
            #expect(throws: LoopyError.self) { _ = try load(Array(file[..<length])) }
        }
    }

    @Test func whatTheSinkThrowsIsPassedOn() {
        struct DiskFull: Error {}
        #expect(throws: DiskFull.self) { try codec.write { _ in throw DiskFull() } }
    }
}
