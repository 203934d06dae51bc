import Diffusion
import Foundation
import Testing
import Torch
import Weights

/// Stable Diffusion 1.5's real sizes, by hand: `make_fixtures.py --real DIR` makes random weights and
/// what diffusers makes of them, then
///
///     LOOPY_REAL_DIFFUSION=DIR swift test -c release --filter RealSizeTests
@Suite(.enabled(if: realFolder != nil))
struct RealSizeTests {
    private func cases(_ name: String) throws -> (String) throws -> Tensor {
        let checkpoint = try Checkpoint(try #require(realFolder) + "/" + name)
        return { name in
            let found = checkpoint.tensor(name)
            return Tensor(try #require(found))
        }
    }

    @Test func autoencoder() throws {
        let cases = try cases("vae_cases.safetensors")
        let codec = try AutoencoderKL(folder: try #require(realFolder) + "/vae")
        let mean = try withoutGradient { codec.distribution(try cases("image")).mean }
        let decoded = try withoutGradient { codec.decode(try cases("latents") * 0.18215) }
        let errors = (
            relativeError(mean, try cases("mean")), relativeError(decoded, try cases("decoded"))
        )
        print("VAE: encode \(errors.0), decode \(errors.1)")
        #expect(errors.0 < 1e-4)
        #expect(errors.1 < 1e-4)
    }

    @Test func unet() throws {
        let cases = try cases("unet_cases.safetensors")
        let net = try PlainUNet(folder: try #require(realFolder) + "/unet")
        let output = try withoutGradient {
            net(try cases("sample"), try cases("timesteps"), text: try cases("text"))
        }
        let error = relativeError(output, try cases("output"))
        print("U-Net: \(error)")
        #expect(error < 1e-4)
    }
}

private let realFolder = ProcessInfo.processInfo.environment["LOOPY_REAL_DIFFUSION"]
