import Diffusion
import Errors
import Foundation
import Testing
import Torch
import Weights

/// Patches and their principal components.
@Suite struct PatchPCATests {
    /// What numpy computed: Fixtures/make_patches.py. Pictures are `[6, 3, 8, 12]`, patches 2 by 2.
    private let fixture: Checkpoint
    private let images: Tensor
    private let statistics: PatchStatistics

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        fixture = try Checkpoint(
            folder.appendingPathComponent("Fixtures/patches.safetensors").path)
        images = Tensor(try #require(fixture.tensor("images")))
        var statistics = PatchStatistics(size: 2)
        statistics.add(images)
        self.statistics = statistics
    }

    private func numpy(_ name: String) throws -> Tensor {
        Tensor(try #require(fixture.tensor(name)))
    }

    /// The greatest difference.
    private func difference(_ a: Tensor, _ b: Tensor) -> Double {
        a.shape == b.shape ? (a.to(.float64) - b.to(.float64)).abs().amax().scalar : .infinity
    }

    private func problem(_ body: () throws -> PatchPCA) -> LoopyError? {
        #expect(throws: LoopyError.self) { _ = try body() }
    }

    @Test func componentsAgreeWithNumPy() throws {
        let codec = try PatchPCA(fitting: statistics, channels: 12)
        #expect(statistics.count == 6 * 4 * 6)
        #expect(difference(codec.mean, try numpy("mean")) < 1e-12)
        #expect(difference(codec.components, try numpy("components")) < 1e-9)
        let variances = Tensor(codec.explainedVariance)
        #expect(difference(variances, try numpy("variances")) < 1e-12)
        #expect(abs(codec.totalVariance - variances.sum().scalar) < 1e-12)
    }

    @Test func latentsAndPicturesAgreeWithNumPy() throws {
        let codec: any LatentCodec = try PatchPCA(fitting: statistics, channels: 5)
        #expect(codec.channels == 5 && codec.factor == 2)
        let latents = codec.encode(images)
        #expect(latents.type == .float32 && latents.isContiguous)
        #expect(difference(latents, try numpy("latents")) < 1e-5)
        #expect(difference(codec.decode(latents), try numpy("decoded")) < 1e-5)
    }

    @Test func aFewChannelsAreTheFirstOfMany() throws {
        let (few, many) = try (
            PatchPCA(fitting: statistics, channels: 3), PatchPCA(fitting: statistics, channels: 12)
        )
        #expect(few.components.isEqual(to: many.components[..<3]))
        #expect(few.explainedVariance == Array(many.explainedVariance[..<3]))
        #expect(few.totalVariance == many.totalVariance)
    }

    @Test(arguments: [1, 5, 12])
    func componentsAreOrthonormalWithADefiniteSign(channels: Int) throws {
        let components = try PatchPCA(fitting: statistics, channels: channels).components
        let products = components.matmul(components.transposed(0, 1))
        let identity = Tensor.arange(0..<channels).unsqueezed(0)
        let isDiagonal = (identity - identity.transposed(0, 1)).abs() < 0.5
        #expect(difference(products, isDiagonal.to(.float64)) < 1e-12)
        let greatest = components.abs().argmax(1)
        for (row, column) in greatest.array(of: Int.self).enumerated() {
            #expect(components[row, column].scalar > 0)
        }
    }

    @Test(arguments: [1, 5, 12])
    func latentsHaveNoMeanAndUnitVariance(channels: Int) throws {
        let latents = try PatchPCA(fitting: statistics, channels: channels).encode(images)
            .to(.float64)
        #expect(latents.mean([0, 2, 3]).abs().amax().scalar < 1e-6)
        #expect(abs(latents.variance([0, 2, 3]).mean().scalar - 1) < 1e-5)
    }

    @Test func allComponentsLoseNothing() throws {
        let codec = try PatchPCA(fitting: statistics, channels: 12)
        #expect(difference(codec.decode(codec.encode(images)), images) < 1e-5)
        // Pictures that nothing was fitted to, of another size.
        let other = Tensor.uniform([2, 3, 4, 10], generator: try Generator(seed: 1)) * 2 - 1
        #expect(difference(codec.decode(codec.encode(other)), other) < 1e-5)
        #expect(codec.psnr(of: other) == .infinity)
    }

    @Test func distancesAreThoseOfThePictures() throws {
        let codec = try PatchPCA(fitting: statistics, channels: 12)
        let (a, b) = (images[0..<1], images[1..<2])
        let distance = (codec.encode(a) - codec.encode(b)).norm().scalar
        #expect(abs(distance / ((a - b).norm().scalar * codec.scale) - 1) < 1e-5)
    }

    @Test func moreChannelsAreBetter() throws {
        let ratios = try (1...12).map {
            try PatchPCA(fitting: statistics, channels: $0).psnr(of: images)
        }
        #expect(zip(ratios, ratios.dropFirst()).allSatisfy { $0 < $1 })
        // A pixel that numpy rounds the other way is 1 in 1728.
        #expect(abs(ratios[4] - (try numpy("psnr").scalar)) < 0.01)
    }

    @Test func statisticsAreTheSameBitsHoweverTheyAreDivided() throws {
        var single = PatchStatistics(size: 2)
        for image in 0..<6 { single.add(images[image..<(image + 1)]) }
        #expect(single.moments.covariance.isEqual(to: statistics.moments.covariance))
        func file(_ statistics: PatchStatistics) throws -> [UInt8] {
            var bytes: [UInt8] = []
            try PatchPCA(fitting: statistics, channels: 5).write { bytes += $0 }
            return bytes
        }
        #expect(try file(single) == file(statistics))
    }

    @Test func threadsChangeNoBit() throws {
        let images = Tensor.uniform([4, 3, 128, 128], generator: try Generator(seed: 1)) * 2 - 1
        let codecs = try [1, 2, 3].map { threads in
            try LibTorch.withThreads(threads) {
                var statistics = PatchStatistics(size: 8)
                statistics.add(images)
                return try PatchPCA(fitting: statistics, channels: 16)
            }
        }
        for codec in codecs.dropFirst() {
            #expect(codec.components.isEqual(to: codecs[0].components))
            #expect(codec.explainedVariance == codecs[0].explainedVariance)
        }
    }

    @Test func statisticsAreMerged() throws {
        var (first, second) = (PatchStatistics(size: 2), PatchStatistics(size: 2))
        first.add(images[..<2])
        second.add(images[2...])
        let before = first
        first.merge(second)
        #expect(first.count == statistics.count)
        let (a, b) = (first.moments, statistics.moments)
        #expect(difference(a.mean, b.mean) < 1e-14)
        #expect(difference(a.covariance, b.covariance) < 1e-14)
        // A copy is a value of its own.
        #expect(before.count == 48)
        #expect(difference(before.moments.mean, b.mean) > 1e-3)
    }

    @Test func largePicturesAreTakenInBands() throws {
        // 3 · 2 · 90 000 values a row of patches: one at a time. Each patch comes twice.
        let row = images.flattened(from: 2).repeatInterleave(2, along: 0)[..<4].permuted(1, 0, 2)
        let wide = row.flattened(from: 1).unsqueezed(1).unsqueezed(0)
        let image = concatenated([wide, wide, wide, wide], along: 2)
        let times = 90_000 / image.length(3)
        let large = concatenated(Array(repeating: image, count: times), along: 3)
        var (expected, found) = (PatchStatistics(size: 2), PatchStatistics(size: 2))
        expected.add(image)
        found.add(large)
        #expect(found.count == expected.count * times)
        #expect(difference(found.moments.covariance, expected.moments.covariance) < 1e-10)
    }

    @Test func impossibleSettingsAreSaid() throws {
        for channels in [0, 13, -1] {
            let error = problem { try PatchPCA(fitting: statistics, channels: channels) }
            #expect(error?.category == .configuration)
            #expect(
                error?.message
                    == "patches of 2 by 2 pixels have 1 to 12 components, not \(channels)")
        }
        var few = PatchStatistics(size: 2)
        few.add(images[0..<1, .all, 0..<4, 0..<12])
        let scarce = problem { try PatchPCA(fitting: few, channels: 1) }
        #expect(
            scarce?.message.hasPrefix("12 patches are too few for the components of 12") == true)

        var alike = PatchStatistics(size: 2)
        alike.add(.full([1, 3, 16, 16], 0.3))
        let constant = problem { try PatchPCA(fitting: alike, channels: 1) }
        #expect(constant?.message.contains("do not differ in 1 ways") == true)

        var undefined = statistics
        undefined.add(.full([1, 3, 2, 2], .nan))
        let nan = problem { try PatchPCA(fitting: undefined, channels: 1) }
        #expect(nan?.message.contains("values that are no numbers") == true)
    }

    @Test func bugsTrapWithTheReason() async {
        let size = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var statistics = PatchStatistics(size: 4)
            statistics.add(.zeros([1, 3, 8, 6]))
        }
        let said = String(decoding: size?.standardErrorContent ?? [], as: UTF8.self)
        #expect(said.contains("are no pictures [B, 3, H, W] of whole patches of 4 pixels"))
    }
}
