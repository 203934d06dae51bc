import Diffusion
import Errors
import Foundation
import Testing
import Torch

/// Against diffusers' `AutoencoderKL` with random weights.
@Suite struct AutoencoderTests {
    @Test(
        "encoding and decoding agree with diffusers, under new and old names",
        arguments: ["vae", "vae_old"])
    func agreesWithDiffusers(folder: String) throws {
        let cases = try Cases("vae_cases.safetensors")
        let codec = try AutoencoderKL(folder: fixture(folder))
        let (mean, logVariance) = codec.distribution(try cases("image"))
        #expect(relativeError(mean, try cases("mean")) < 1e-5)
        #expect(relativeError(logVariance, try cases("logvar")) < 1e-5)
        #expect(relativeError(codec.encode(try cases("image")), mean * 0.18215) < 1e-6)
        let decoded = codec.decode(try cases("latents") * 0.18215)
        #expect(relativeError(decoded, try cases("decoded")) < 1e-5)
    }

    @Test func samplesFollowTheDistribution() throws {
        let cases = try Cases("vae_cases.safetensors")
        let codec = try AutoencoderKL(folder: fixture("vae"))
        let image = try cases("image")[..<1]
        let (mean, logVariance) = codec.distribution(image)
        let generator = try Generator(seed: 1)
        let sample = codec.sample(image, generator: generator) / 0.18215
        let again = try Generator(seed: 1)
        let noise = Tensor.normal(mean.shape, generator: again)
        #expect(relativeError(sample, mean + (logVariance * 0.5).exp() * noise) < 1e-6)
    }

    @Test func picturesAreCodedOneByOne() throws {
        let cases = try Cases("vae_cases.safetensors")
        let codec = try AutoencoderKL(folder: fixture("vae"))
        let image = try cases("image")
        #expect(codec.encode(image)[1...].isEqual(to: codec.encode(image[1...])))
        #expect(codec.factor == 8)
        #expect(codec.channels == 4)
    }

    @Test func theRealOneHasItsParameters() {
        let store = ParameterStore.describing()
        _ = AutoencoderKL(store.root, AutoencoderConfiguration())
        #expect(store.names.count == 248)
        #expect(store.parameters.reduce(0) { $0 + $1.tensor.count } == 83_653_863)
    }

    @Test func theFolderOfAWholeStableDiffusionWillDo() throws {
        try withFolder { folder in
            try FileManager.default.copyItem(atPath: fixture("vae"), toPath: folder + "/vae")
            #expect(try AutoencoderKL(folder: folder).channels == 4)
        }
    }

    @Test(
        "another architecture is named",
        arguments: [
            ("\"act_fn\": \"silu\"", "\"act_fn\": \"relu\"", "act_fn"),
            ("\"norm_num_groups\": 2", "\"norm_num_groups\": 5", "norm_num_groups"),
            ("\"latent_channels\"", "\"lantern_channels\"", "latentChannels"),
        ])
    func anotherArchitectureIsSaid(old: String, new: String, what: String) throws {
        try withConfiguration(of: "vae", replacing: old, by: new) { folder in
            let error = #expect(throws: LoopyError.self) {
                _ = try AutoencoderKL(folder: folder)
            }
            #expect(error?.message.contains(what) == true)
            #expect(error?.message.hasPrefix(folder) == true)
        }
    }

    @Test func weightsOfAnotherShapeAreSaid() throws {
        try withConfiguration(
            of: "vae", replacing: "\"latent_channels\": 4", by: "\"latent_channels\": 3"
        ) { folder in
            let error = #expect(throws: LoopyError.self) {
                _ = try AutoencoderKL(folder: folder)
            }
            #expect(error?.message.contains("quant_conv") == true)
        }
    }
}
