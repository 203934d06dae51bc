import Diffusion
import Errors
import Foundation
import Testing
import Torch
import Weights

@Suite struct CompactAutoencoderTests {
    /// Smooth pictures that differ: `[count, 3, side, side]`.
    private func pictures(_ count: Int, side: Int = 16, seed: UInt64 = 1) throws -> Tensor {
        let generator = try Generator(seed: seed)
        let coarse = Tensor.uniform([count, 3, 4, 4], generator: generator) * 1.6 - 0.8
        return interpolate(coarse, size: [side, side], .linear)
    }

    private func fitted(
        continuing file: String? = nil, steps: Int, _ images: Tensor
    ) throws -> (fitting: CompactAutoencoderFitting, first: Double, last: Double) {
        let fitting = try CompactAutoencoderFitting(
            continuing: file.map { try Checkpoint($0) }, channels: 4, steps: steps, seed: 0)
        let losses = (0..<steps).map { _ in fitting.step(images) }
        return (fitting, losses[0], losses[steps - 1])
    }

    private func write(_ fitting: CompactAutoencoderFitting) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/compact-\(UUID()).safetensors"
        var bytes = Data()
        try fitting.write { bytes.append(contentsOf: $0) }
        try bytes.write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func fittingLearnsPicturesAndNormalisesLatents() throws {
        let images = try pictures(8)
        let (fitting, first, last) = try fitted(steps: 200, images)
        #expect(last < 0.6 * first)
        let path = try write(fitting)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let codec = try CompactAutoencoder(Checkpoint(path))
        let latents = withoutGradient { codec.encode(images) }
        #expect(latents.shape == [8, 4, 2, 2])
        #expect(withoutGradient { codec.decode(latents) }.shape == images.shape)
        let deviation = latents.variance([0, 2, 3]).sqrt()
        #expect(deviation.amax().scalar < 2 && deviation.amin().scalar > 0.5)
        #expect(codec.psnr(of: images) > 20)
    }

    @Test func inTheLastPartTheDecoderIsFittedToLatentsThatStay() throws {
        let images = try pictures(8)
        let fitting = try CompactAutoencoderFitting(channels: 4, steps: 20, seed: 0)
        var files: [String] = []
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        for step in 1...20 {
            fitting.step(images)
            if [6, 12, 20].contains(step) { files.append(try write(fitting)) }
        }
        let codecs = try files.map { try CompactAutoencoder(Checkpoint($0)) }
        let latents = codecs.map { codec in withoutGradient { codec.encode(images) } }
        #expect(!latents[0].isEqual(to: latents[1]))
        #expect(latents[1].isEqual(to: latents[2]))
        #expect(codecs[2].psnr(of: images) > codecs[1].psnr(of: images))
    }

    @Test func theDecoderIsFittedAloneWhereWeightsAreGiven() throws {
        let images = try pictures(8)
        let path = try write(try fitted(steps: 20, images).fitting)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let before = try CompactAutoencoder(Checkpoint(path))
        let others = try pictures(8, seed: 2)
        let second = try write(try fitted(continuing: path, steps: 30, others).fitting)
        defer { try? FileManager.default.removeItem(atPath: second) }
        let after = try CompactAutoencoder(Checkpoint(second))
        #expect(after.encode(others).isEqual(to: before.encode(others)))
        #expect(after.psnr(of: others) > before.psnr(of: others) + 0.5)
    }

    @Test func theSamePicturesGiveTheSameBytes() throws {
        let images = try pictures(4)
        let files = try (0..<2).map { _ in try write(try fitted(steps: 5, images).fitting) }
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: files[0]))
                == Data(contentsOf: URL(fileURLWithPath: files[1])))
    }

    @Test func anotherFileIsRefused() throws {
        let path = FileManager.default.temporaryDirectory.path + "/other-\(UUID()).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var bytes = Data()
        try SafeTensors.write(tensors: [("latents_mean", Tensor.zeros([4]))]) {
            bytes.append(contentsOf: $0)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(throws: LoopyError.self) { try CompactAutoencoder(Checkpoint(path)) }
    }
}
