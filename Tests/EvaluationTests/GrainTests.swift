import Evaluation
import Foundation
import Testing
import Torch

@Suite struct GrainTests {
    /// A picture of 120x120 pixels, uint8 `[3, H, W]`: above it is a pattern, below it slopes gently.
    private func picture(noise: Double, seed: UInt64) throws -> Tensor {
        let side = 120
        let values = (0..<(side * side)).map { index in
            index / side < side / 2
                ? 128 + 60 * sin(0.37 * Double(index)) : 60 + Double(index % side)
        }
        let plain = Tensor(values + values + values, shape: [3, side, side])
        let drawn = Tensor.normal(
            [3, side, side], generator: try Generator(seed: seed), type: .float64)
        return (plain + drawn * noise + 0.5).floor().clamped(0, 255).to(.uint8)
    }

    @Test func theNoiseOfTheFlatPartIsFound() throws {
        var blocks = FlatBlocks()
        for seed in 0..<4 { blocks.add(try picture(noise: 2, seed: UInt64(seed))) }
        // A tenth of the squares, all of them in the lower half.
        #expect(blocks.flattest.count == 10)
        #expect(blocks.flattest.allSatisfy { $0 >= 50 })
        for noise in [2.0, 4, 10] {
            let found = FlatBlocks.noise(
                of: try picture(noise: noise, seed: 77), in: blocks.flattest)
            // Rounding adds a twelfth to the variance.
            #expect(abs(found / (noise * noise + 1.0 / 12).squareRoot() - 1) < 0.05)
        }
        // What has no noise has that of rounding.
        let smooth = Tensor.full([3, 120, 120], 90, type: .uint8)
        #expect(FlatBlocks.noise(of: smooth, in: blocks.flattest) == (1.0 / 12).squareRoot())
    }

    @Test func aPictureOfAnotherSizeIsLeftOut() throws {
        var blocks = FlatBlocks()
        blocks.add(try picture(noise: 2, seed: 0))
        let flattest = blocks.flattest
        blocks.add(Tensor.full([3, 96, 144], 90, type: .uint8))
        #expect(blocks.shape == [3, 120, 120])
        #expect(blocks.flattest == flattest)
    }

    @Test func driftIsThePercentageOfColourContrastAndSharpness() throws {
        let first = try picture(noise: 0, seed: 1)
        let values = first.to(.float64)
        let darker = (values * 0.8 + 0.5).floor().to(.uint8)
        let change = PictureLook.change(from: PictureLook(first), to: PictureLook(darker))
        #expect(abs(change.colour - 20) < 0.5)
        #expect(abs(change.contrast - 20) < 0.5)
        // Less light is no blur: only the rounding of a gentle slope tells.
        #expect(change.sharpness < 5)
        let noisy = PictureLook.change(
            from: PictureLook(first), to: PictureLook(try picture(noise: 12, seed: 2)))
        #expect(noisy.colour < 1)
        #expect(noisy.sharpness > 10)
    }
}
