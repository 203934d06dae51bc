import Foundation
import Media
import Testing

@Suite struct PixelSamplerTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    func picture(_ source: String, _ options: String = "-pix_fmt yuv444p -c:v ffv1") throws
        -> VideoFrame
    {
        try firstPicture(
            try folder.make(
                "picture.mkv", ["-f", "lavfi", "-i", source, "-frames:v", "1"] + words(options)))
    }

    static let ramp = "color=black:s=64x48,format=rgb24,geq=r='X*4':g='Y*5':b=128"

    @Test("outside the picture there is black or the nearest pixel")
    func borders() throws {
        let white = try picture("color=white:s=32x32")
        for scale in [1.0, 6.0] {
            // Twice as wide as the picture, which is in the middle of it.
            let region = Affine(
                xx: scale, xy: 0, x0: -16, yx: 0, yy: scale, y0: -16)
            let size = Int(64 / scale)
            let replicated = white.sampled(region, width: size, height: size)
            #expect(replicated.allSatisfy { $0 > 253 })
            let black = white.sampled(region, width: size, height: size, border: .black)
            for y in 0..<size {
                for x in 0..<size {
                    let place = [(Double(x) + 0.5) * scale, (Double(y) + 0.5) * scale]
                    if place.contains(where: { abs($0 - 16) <= scale || abs($0 - 48) <= scale }) {
                        continue
                    }
                    let isInside = place.allSatisfy { $0 > 16 && $0 < 48 }
                    #expect(abs(black[(y * size + x) * 3] - (isInside ? 255 : 0)) < 2)
                }
            }
        }
        let ramp = try picture(Self.ramp)
        let left = ramp.sampled(
            Affine(xx: 1, xy: 0, x0: -200, yx: 0, yy: 1, y0: 20), width: 4, height: 4)
        #expect(left.indices.allSatisfy { $0 % 3 != 0 || left[$0] < 4 })
    }

    @Test("a turned region reads the picture along its own axes")
    func turnedRegion() throws {
        let ramp = try picture(Self.ramp)
        let upright = ramp.pixels()
        let turned = ramp.sampled(
            Affine(xx: 0, xy: 1, x0: 0, yx: 1, yy: 0, y0: 0), width: 48, height: 64)
        for y in 0..<64 {
            for x in 0..<48 {
                for channel in 0..<3 {
                    let difference =
                        turned[(y * 48 + x) * 3 + channel] - upright[(x * 64 + y) * 3 + channel]
                    #expect(abs(difference) < 0.01)
                }
            }
        }
        // Half a right angle: along the diagonal both colours rise.
        let diagonal = ramp.sampled(
            Affine(xx: 0.7071, xy: -0.7071, x0: 20, yx: 0.7071, yy: 0.7071, y0: 10),
            width: 30, height: 1)
        #expect(abs(diagonal[0] - 20 * 4) < 4 && abs(diagonal[1] - 10.5 * 5) < 4)
        #expect(abs(diagonal[87] - 40.4 * 4) < 6 && abs(diagonal[88] - 31 * 5) < 6)
    }

    @Test("enlarging interpolates between pixel centres")
    func enlarging() throws {
        let ramp = try picture(Self.ramp)
        let large = ramp.sampled(
            Affine(xx: 0.25, xy: 0, x0: 10, yx: 0, yy: 0.25, y0: 10), width: 80, height: 40)
        for x in 0..<80 {
            let place = 10 + (Double(x) + 0.5) * 0.25 - 0.5
            #expect(abs(Double(large[x * 3]) - place * 4) < 4)
        }
    }

    @Test("shrinking averages, also in ten bits and in gray")
    func shrinking() throws {
        for options in ["yuv444p", "yuv420p10le", "gray"] {
            let noise = try picture(
                "color=gray:s=256x256,geq=lum='if(gt(random(0)\\,0.5)\\,200\\,60)':cb=128:cr=128",
                "-pix_fmt \(options) -c:v ffv1")
            func spread(_ values: [Float]) -> Float {
                let mean = values.reduce(0, +) / Float(values.count)
                let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                return (squares / Float(values.count)).squareRoot()
            }
            let full = noise.pixels()
            let small = noise.pixels(width: 32, height: 32)
            #expect(spread(small) < spread(full) * 0.35, "\(options)")
            let (a, b) = (
                small.reduce(0, +) / Float(small.count), full.reduce(0, +) / Float(full.count)
            )
            #expect(abs(a - b) < 6)
        }
    }

    @Test("scale and bias are applied to every value")
    func scaleAndBias() throws {
        let ramp = try picture(Self.ramp)
        let plain = ramp.pixels()
        var scaled = [Float](repeating: 0, count: plain.count)
        scaled.withUnsafeMutableBufferPointer {
            ramp.sample(.identity, width: 64, height: 48, scale: 1 / 127.5, bias: -1, into: $0)
        }
        #expect(zip(plain, scaled).allSatisfy { abs($0 / 127.5 - 1 - $1) < 1e-4 })
    }

    @Test("regions beyond all measure are only outside")
    func absurdRegions() throws {
        let ramp = try picture(Self.ramp)
        for value in [1e12, -1e300, Double.infinity, .nan] {
            for factor in [1.0, 5.0, value] {
                let region = Affine(xx: factor, xy: 0, x0: value, yx: 0, yy: factor, y0: value)
                let rgb = ramp.sampled(region, width: 8, height: 8, border: .black)
                #expect(rgb.allSatisfy { (0...255).contains($0) })
            }
        }
    }
}
