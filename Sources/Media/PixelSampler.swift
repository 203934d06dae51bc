import CFFmpeg

/// What a sampler reads where a region leaves the picture.
public enum Border: Sendable, Equatable {
    /// 0 for black to 255 for white.
    case gray(Float)
    /// The nearest pixel of the picture.
    case replicate

    public static let black = Border.gray(0)
}

extension VideoFrame {
    /// Cuts a region out of the decoder's planes and resamples it to RGB: nothing outside the region
    /// is converted. Bilinear in luma; an average of up to 4x4 taps a pixel when shrinking to less
    /// than 1/3.5.
    ///
    /// - Parameters:
    ///   - region: maps output pixels (0...width, 0...height) to places of the upright picture.
    ///   - rgb: filled with `[height, width, 3]`, `value · scale + bias` with value in 0...255.
    public func sample(
        _ region: Affine, width: Int, height: Int, border: Border = .replicate,
        scale: Float = 1, bias: Float = 0, into rgb: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(rgb.count >= width * height * 3, "the buffer is smaller than the region")
        guard let planes = VideoFrame.planes(of: frame) else {
            preconditionFailure("readers hand out only formats that have planes")
        }
        let map = region.then(orientation.uprightToCoded)
        let sampler = PlaneSampler(
            planes: planes, map: map, width: width, height: height, border: border,
            colour: ColourMatrix(frame.pointee, scale: scale, bias: bias))
        if planes[0].bytesPerSample == 1 {
            sampler.fill(rgb, as: UInt8.self)
        } else {
            sampler.fill(rgb, as: UInt16.self)
        }
    }
}

/// Y'CbCr (0...255) to R'G'B' (0...255, then scaled), for one matrix and range.
private struct ColourMatrix {
    let luma: Float, redCr: Float, greenCb: Float, greenCr: Float, blueCb: Float
    let lumaOffset: Float
    let scale: Float, bias: Float

    init(_ frame: AVFrame, scale: Float, bias: Float) {
        let kr: Float, kb: Float
        switch frame.colorspace {
        case AVCOL_SPC_BT709: (kr, kb) = (0.2126, 0.0722)
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: (kr, kb) = (0.2627, 0.0593)
        case AVCOL_SPC_UNSPECIFIED where frame.height >= 720: (kr, kb) = (0.2126, 0.0722)
        default: (kr, kb) = (0.299, 0.114)
        }
        let fullRange = VideoFrame.isFullRange(frame)
        let kg = 1 - kr - kb
        let chroma: Float = fullRange ? 1 : 255.0 / 224.0
        luma = fullRange ? 1 : 255.0 / 219.0
        lumaOffset = fullRange ? 0 : 16
        redCr = 2 * (1 - kr) * chroma
        blueCb = 2 * (1 - kb) * chroma
        greenCr = -redCr * kr / kg
        greenCb = -blueCb * kb / kg
        self.scale = scale
        self.bias = bias
    }

    @inline(__always)
    func write(_ y: Float, _ cb: Float, _ cr: Float, to out: UnsafeMutablePointer<Float>) {
        let base = (y - lumaOffset) * luma, b = cb - 128, r = cr - 128
        out[0] = min(max(base + redCr * r, 0), 255) * scale + bias
        out[1] = min(max(base + greenCb * b + greenCr * r, 0), 255) * scale + bias
        out[2] = min(max(base + blueCb * b, 0), 255) * scale + bias
    }
}

/// Walks over the output pixels and reads the planes at their places, in 16.16 fixed point.
private struct PlaneSampler {
    let planes: [ComponentPlane]
    let map: Affine
    let width: Int
    let height: Int
    /// Luma of what is outside the picture; nil for that of the nearest pixel.
    let gray: Float?
    let colour: ColourMatrix

    init(
        planes: [ComponentPlane], map: Affine, width: Int, height: Int, border: Border,
        colour: ColourMatrix
    ) {
        (self.planes, self.map, self.width, self.height) = (planes, map, width, height)
        self.colour = colour
        switch border {
        case .gray(let value): gray = value / colour.luma + colour.lumaOffset
        case .replicate: gray = nil
        }
    }

    func fill<Sample: FixedWidthInteger & UnsignedInteger>(
        _ rgb: UnsafeMutableBufferPointer<Float>, as type: Sample.Type
    ) {
        let out = rgb.baseAddress!  // the caller checked that the buffer is large enough
        let luma = Plane<Sample>(planes[0])
        // Gray pictures read their luma for chroma, and do not use it.
        let hasChroma = planes.count > 2
        let cb = Plane<Sample>(planes[hasChroma ? 1 : 0])
        let cr = Plane<Sample>(planes[hasChroma ? 2 : 0])
        // Coded pixels an output pixel, along the axis where there are more. Bilinear reading is
        // what MediaPipe feeds its networks with at any scale; beyond 3.5 it aliases too much.
        let shrink = max(
            (map.xx * map.xx + map.yx * map.yx).squareRoot(),
            (map.xy * map.xy + map.yy * map.yy).squareRoot())
        let taps = shrink < 3.5 ? 1 : Int(min(4, (shrink / 2).rounded()))
        let isInside = stays(inside: planes[0])
        for row in 0..<height {
            let line = out + row * width * 3
            if taps == 1 {
                fillBilinear(row, line, luma, cb, cr, hasChroma, isInside)
            } else {
                fillAveraged(row, line, luma, cb, cr, hasChroma, isInside, taps: taps)
            }
        }
    }

    /// True when every place that is read, and its right and lower neighbour, is in the picture.
    private func stays(inside plane: ComponentPlane) -> Bool {
        let corners = [(0, 0), (width, 0), (0, height), (width, height)]
        return corners.allSatisfy { corner in
            let place = map(Double(corner.0), Double(corner.1))
            return place.x >= 1 && place.y >= 1 && place.x <= Double(plane.width - 2)
                && place.y <= Double(plane.height - 2)
        }
    }

    /// 16.16 fixed point; places beyond all pictures are brought near enough to be counted in it.
    @inline(__always)
    private func fixed(_ value: Double) -> Int {
        let bound = 1e9
        return Int(max(-bound, min(bound, value)) * 65536)
    }

    @inline(__always)
    private func fillBilinear<Sample>(
        _ row: Int, _ line: UnsafeMutablePointer<Float>, _ luma: Plane<Sample>,
        _ cb: Plane<Sample>, _ cr: Plane<Sample>, _ hasChroma: Bool, _ isInside: Bool
    ) {
        let start = map(0.5, Double(row) + 0.5)
        // Relative to sample centres.
        var x = fixed(start.x - 0.5), y = fixed(start.y - 0.5)
        let dx = fixed(map.xx), dy = fixed(map.yx)
        let lumaScale = luma.scale / 65536
        let (lastX, lastY) = (luma.width &- 1, luma.height &- 1)
        var out = line
        for _ in 0..<width {
            var left = x >> 16, top = y >> 16
            var right = left &+ 1, bottom = top &+ 1
            if !isInside {
                if let gray, left < -1 || top < -1 || left > lastX || top > lastY {
                    colour.write(gray, 128, 128, to: out)
                    (x, y, out) = (x &+ dx, y &+ dy, out + 3)
                    continue
                }
                (left, right) = (min(max(left, 0), lastX), min(max(right, 0), lastX))
                (top, bottom) = (min(max(top, 0), lastY), min(max(bottom, 0), lastY))
            }
            let fx = (x >> 8) & 0xff, fy = (y >> 8) & 0xff
            let upper = luma.row(top), lower = luma.row(bottom)
            let a = luma.at(upper, left) &* (256 &- fx) &+ luma.at(upper, right) &* fx
            let b = luma.at(lower, left) &* (256 &- fx) &+ luma.at(lower, right) &* fx
            let value = Float(a &* (256 &- fy) &+ b &* fy) * lumaScale
            if hasChroma {
                let nearX = fx < 128 ? left : right, nearY = fy < 128 ? top : bottom
                colour.write(value, cb.value(nearX, nearY), cr.value(nearX, nearY), to: out)
            } else {
                colour.write(value, 128, 128, to: out)
            }
            (x, y, out) = (x &+ dx, y &+ dy, out + 3)
        }
    }

    @inline(__always)
    private func fillAveraged<Sample>(
        _ row: Int, _ line: UnsafeMutablePointer<Float>, _ luma: Plane<Sample>,
        _ cb: Plane<Sample>, _ cr: Plane<Sample>, _ hasChroma: Bool, _ isInside: Bool, taps: Int
    ) {
        // A pixel's taps lie on a grid over it.
        let stepX = (fixed(map.xx / Double(taps)), fixed(map.yx / Double(taps)))
        let stepY = (fixed(map.xy / Double(taps)), fixed(map.yy / Double(taps)))
        let first = map(0.5 / Double(taps), Double(row) + 0.5 / Double(taps))
        let middle = map(0.5, Double(row) + 0.5)
        var (startX, startY) = (fixed(first.x), fixed(first.y))
        var (middleX, middleY) = (fixed(middle.x), fixed(middle.y))
        let (dx, dy) = (fixed(map.xx), fixed(map.yx))
        let (lastX, lastY) = (luma.width &- 1, luma.height &- 1)
        let scale = luma.scale / Float(taps * taps)
        var out = line
        for _ in 0..<width {
            var (lineX, lineY) = (startX, startY)
            var sum = 0, outside = 0
            for _ in 0..<taps {
                var (x, y) = (lineX, lineY)
                for _ in 0..<taps {
                    var px = x >> 16, py = y >> 16
                    if !isInside {
                        if px < 0 || py < 0 || px > lastX || py > lastY { outside &+= 1 }
                        (px, py) = (min(max(px, 0), lastX), min(max(py, 0), lastY))
                    }
                    sum &+= luma.at(luma.row(py), px)
                    (x, y) = (x &+ stepX.0, y &+ stepX.1)
                }
                (lineX, lineY) = (lineX &+ stepY.0, lineY &+ stepY.1)
            }
            if let gray, outside * 2 > taps * taps {
                colour.write(gray, 128, 128, to: out)
            } else if hasChroma {
                // Chroma has no fine detail to alias: one tap in the middle.
                let px = min(max(middleX >> 16, 0), lastX), py = min(max(middleY >> 16, 0), lastY)
                colour.write(Float(sum) * scale, cb.value(px, py), cr.value(px, py), to: out)
            } else {
                colour.write(Float(sum) * scale, 128, 128, to: out)
            }
            (startX, startY) = (startX &+ dx, startY &+ dy)
            (middleX, middleY, out) = (middleX &+ dx, middleY &+ dy, out + 3)
        }
    }
}

/// A component plane with its sample type known, for the inner loops.
private struct Plane<Sample: FixedWidthInteger & UnsignedInteger> {
    let base: UnsafeRawPointer
    let rowBytes: Int
    let step: Int
    let width: Int
    let height: Int
    let shiftX: Int
    let shiftY: Int
    let scale: Float

    init(_ plane: ComponentPlane) {
        base = plane.base
        rowBytes = plane.rowBytes
        step = plane.step
        width = plane.width
        height = plane.height
        shiftX = plane.shiftX
        shiftY = plane.shiftY
        scale = plane.scale
    }

    @inline(__always)
    func row(_ index: Int) -> UnsafeRawPointer { base + index &* rowBytes }

    @inline(__always)
    func at(_ row: UnsafeRawPointer, _ column: Int) -> Int {
        Int(truncatingIfNeeded: row.loadUnaligned(fromByteOffset: column &* step, as: Sample.self))
    }

    /// The value, 0...255, at a place given in luma samples.
    @inline(__always)
    func value(_ x: Int, _ y: Int) -> Float { Float(at(row(y >> shiftY), x >> shiftX)) * scale }
}
