import Diffusion
import Errors
import Foundation
import Testing
import Torch

/// Against diffusers' `UNet2DConditionModel` with random weights.
@Suite struct PlainUNetTests {
    @Test("predictions agree with diffusers", arguments: ["even", "odd"])
    func agreesWithDiffusers(name: String) throws {
        let cases = try Cases("unet_cases.safetensors")
        let net = try PlainUNet(folder: fixture("unet"))
        let prediction = net(
            try cases(name + ".sample"), try cases(name + ".timesteps"),
            text: try cases(name + ".text"))
        #expect(relativeError(prediction, try cases(name + ".output")) < 1e-5)
    }

    @Test func theRealOneHasItsParameters() {
        let store = ParameterStore.describing()
        _ = PlainUNet(store.root, UNetConfiguration())
        #expect(store.names.count == 686)
        #expect(store.parameters.reduce(0) { $0 + $1.tensor.count } == 859_520_964)
    }

    @Test(
        "another architecture is named",
        arguments: [
            ("\"use_linear_projection\": false", "\"use_linear_projection\": true"),
            ("\"flip_sin_to_cos\": true", "\"flip_sin_to_cos\": false"),
            ("\"act_fn\": \"silu\"", "\"act_fn\": \"gelu\""),
            ("\"class_embed_type\": null", "\"class_embed_type\": \"timestep\""),
            ("\"CrossAttnDownBlock2D\"", "\"AttnDownBlock2D\""),
            ("\"attention_head_dim\": 2", "\"attention_head_dim\": 7"),
        ])
    func anotherArchitectureIsSaid(old: String, new: String) throws {
        try withConfiguration(of: "unet", replacing: old, by: new) { folder in
            let error = #expect(throws: LoopyError.self) {
                _ = try PlainUNet(folder: folder)
            }
            #expect(error?.category == .unsupported)
            #expect(error?.message.contains("Stable Diffusion 1.5") == true)
        }
    }

    @Test func aMissingConfigurationIsSaid() throws {
        try withFolder { folder in
            let error = #expect(throws: LoopyError.self) {
                _ = try PlainUNet(folder: folder)
            }
            #expect(error?.message.contains("config.json: is missing") == true)
        }
    }
}
