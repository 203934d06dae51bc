import Evaluation
import Foundation
import Testing
import Torch
import Weights

/// Against scipy, pytorch-fid and the FVD of StyleGAN-V, fed the same features
/// (`Fixtures/make_fixtures.py`).
@Suite struct DistanceTests {
    private struct Distance: Decodable {
        let exact: Double
        let pytorchFID: Double
        let styleGANV: Double

        private enum CodingKeys: String, CodingKey {
            case exact
            case pytorchFID = "pytorch_fid"
            case styleGANV = "styleganv"
        }
    }

    private struct Expected: Decodable {
        let distances: [String: Distance]
        let pictures: [String: Double]
    }

    private func expected() throws -> Expected {
        try JSONDecoder().decode(
            Expected.self,
            from: Data(contentsOf: URL(fileURLWithPath: Folder.fixtures + "/expected.json")))
    }

    private func features(_ name: String) throws -> Tensor {
        let file = try Checkpoint(Folder.fixtures + "/features.safetensors")
        return Tensor(try #require(file.tensor(name)))
    }

    /// In pieces of a length.
    private func statistics(_ features: Tensor, pieces: Int) -> FeatureStatistics {
        var statistics = FeatureStatistics(length: features.length(1))
        for start in stride(from: 0, to: features.length(0), by: pieces) {
            statistics.add(features[start..<min(features.length(0), start + pieces)])
        }
        return statistics
    }

    @Test(arguments: ["full", "few", "offset", "one"])
    func theDistanceIsThatOfPublicImplementations(name: String) throws {
        let expected = try #require(try self.expected().distances[name])
        let a = try features(name + ".a"), b = try features(name + ".b")
        // However the vectors come: at once, few at a time, so that the factor is shortened or not.
        for pieces in [1000, 25, 7, 1] {
            let found = try #require(
                statistics(a, pieces: pieces).frechetDistance(to: statistics(b, pieces: pieces)))
            #expect(abs(found / expected.exact - 1) < 1e-10)
            #expect(abs(found / expected.pytorchFID - 1) < 1e-6)
            #expect(abs(found / expected.styleGANV - 1) < 1e-6)
        }
    }

    @Test func theSameFeaturesInTheSamePiecesGiveTheSameBits() throws {
        let a = try features("full.a"), b = try features("full.b")
        let distances = [1, 2].map { threads -> Double? in
            LibTorch.withThreads(threads) {
                statistics(a, pieces: 9).frechetDistance(to: statistics(b, pieces: 9))
            }
        }
        #expect(distances[0] != nil)
        #expect(distances[0] == distances[1])
    }

    @Test func featuresAreAtNoDistanceFromThemselves() throws {
        for name in ["full.a", "few.a"] {
            let a = try features(name)
            let spread = a.to(.float64).variance([0]).sum().scalar
            let found = try #require(
                statistics(a, pieces: 5).frechetDistance(to: statistics(a, pieces: 8)))
            #expect(abs(found) < 1e-12 * spread)
        }
    }

    @Test func oneVectorHasNoCovariance() throws {
        let a = try features("full.a")
        let one = statistics(a[0..<1], pieces: 1)
        #expect(one.count == 1)
        #expect(one.frechetDistance(to: statistics(a, pieces: 10)) == nil)
        #expect(statistics(a, pieces: 10).frechetDistance(to: one) == nil)
    }

    @Test func picturesAreComparedAsScikitImageDoes() throws {
        let file = try Checkpoint(Folder.fixtures + "/pictures.safetensors")
        let a = Tensor(try #require(file.tensor("a"))), b = Tensor(try #require(file.tensor("b")))
        let expected = try self.expected().pictures
        #expect(abs(PeakSignalToNoise.ratio(a, b) - (try #require(expected["psnr"]))) < 1e-9)
        #expect(
            abs(StructuralSimilarity.similarity(a, b) - (try #require(expected["ssim"]))) < 1e-12)
        #expect(PeakSignalToNoise.ratio(a, a) == 100)
        #expect(abs(StructuralSimilarity.similarity(a, a) - 1) < 1e-12)
    }
}
