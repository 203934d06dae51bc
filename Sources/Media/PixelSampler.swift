import CFFmpeg

/// What a sampler reads where a region leaves the picture.
public enum Border: Sendable {
    case black
    /// The nearest pixel of the picture.
    case replicate
}

extension VideoFrame {
    /// Cuts a region out of the decoder's planes and resamples it to RGB: nothing outside the region
    /// is converted. Bilinear in luma when enlarging or nearly so; an average of up to 4x4 taps a
    /// pixel when shrinking.
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
        let fullRange =
            frame.color_range == AVCOL_RANGE_JPEG
            || [AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P]
                .contains(AVPixelFormat(frame.format))
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

private struct PlaneSampler {
    let planes: [ComponentPlane]
    let map: Affine
    let width: Int
    let height: Int
    let border: Border
    let colour: ColourMatrix

    func fill<Sample: FixedWidthInteger & UnsignedInteger>(
        _ rgb: UnsafeMutableBufferPointer<Float>, as type: Sample.Type
    ) {
        // Coded pixels an output pixel, along the axis where there are more.
        let shrink = max(
            (map.xx * map.xx + map.yx * map.yx).squareRoot(),
            (map.xy * map.xy + map.yy * map.yy).squareRoot())
        let taps = min(4, max(1, Int(shrink.rounded())))
        if taps == 1 {
            fillBilinear(rgb.baseAddress!, as: type)
        } else {
            fillAveraged(rgb.baseAddress!, taps: taps, as: type)
        }
    }

    /// A row of the output whose places all lie inside needs no clamping; the inner loops clamp
    /// anyway, because a compare is cheaper than two versions of this code.
    private func fillBilinear<Sample: FixedWidthInteger & UnsignedInteger>(
        _ rgb: UnsafeMutablePointer<Float>, as type: Sample.Type
    ) {
        let y = Plane<Sample>(planes[0])
        let cb = planes.count > 2 ? Plane<Sample>(planes[1]) : nil
        let cr = planes.count > 2 ? Plane<Sample>(planes[2]) : nil
        let maximumX = Int32(planes[0].width - 1), maximumY = Int32(planes[0].height - 1)
        let lumaScale = planes[0].scale / 65536
        let black = border == .black
        var out = rgb
        for row in 0..<height {
            let start = map(0.5, Double(row) + 0.5)
            // 16.16 fixed point, relative to sample centres.
            var x = Int64((start.x - 0.5) * 65536), py = Int64((start.y - 0.5) * 65536)
            let dx = Int64(map.xx * 65536), dy = Int64(map.yx * 65536)
            for _ in 0..<width {
                let ix = Int32(truncatingIfNeeded: x >> 16)
                let iy = Int32(truncatingIfNeeded: py >> 16)
                let outside = ix < -1 || iy < -1 || ix > maximumX || iy > maximumY
                if black && outside {
                    colour.write(colour.lumaOffset, 128, 128, to: out)
                } else {
                    let fx = Int32(truncatingIfNeeded: (x >> 8) & 0xff)
                    let fy = Int32(truncatingIfNeeded: (py >> 8) & 0xff)
                    let left = Int(min(max(ix, 0), maximumX))
                    let right = Int(min(max(ix &+ 1, 0), maximumX))
                    let top = Int(min(max(iy, 0), maximumY))
                    let bottom = Int(min(max(iy &+ 1, 0), maximumY))
                    let upper = y.row(top), lower = y.row(bottom)
                    let a = y[upper, left] &* (256 &- fx) &+ y[upper, right] &* fx
                    let b = y[lower, left] &* (256 &- fx) &+ y[lower, right] &* fx
                    let luma = Float(Int64(a) &* Int64(256 &- fy) &+ Int64(b) &* Int64(fy))
                    if let cb, let cr {
                        let nearX = fx < 128 ? left : right, nearY = fy < 128 ? top : bottom
                        colour.write(
                            luma * lumaScale, cb.value(nearX, nearY), cr.value(nearX, nearY),
                            to: out)
                    } else {
                        colour.write(luma * lumaScale, 128, 128, to: out)
                    }
                }
                out += 3
                x &+= dx
                py &+= dy
            }
        }
    }

    private func fillAveraged<Sample: FixedWidthInteger & UnsignedInteger>(
        _ rgb: UnsafeMutablePointer<Float>, taps: Int, as type: Sample.Type
    ) {
        let y = Plane<Sample>(planes[0])
        let cb = planes.count > 2 ? Plane<Sample>(planes[1]) : nil
        let cr = planes.count > 2 ? Plane<Sample>(planes[2]) : nil
        let maximumX = planes[0].width - 1, maximumY = planes[0].height - 1
        let inverse = 1 / Float(taps * taps)
        let black = border == .black
        var out = rgb
        for row in 0..<height {
            for column in 0..<width {
                var sumY: Float = 0, sumCb: Float = 0, sumCr: Float = 0
                for tapY in 0..<taps {
                    for tapX in 0..<taps {
                        let place = map(
                            Double(column) + (Double(tapX) + 0.5) / Double(taps),
                            Double(row) + (Double(tapY) + 0.5) / Double(taps))
                        let ix = Int(place.x.rounded(.down)), iy = Int(place.y.rounded(.down))
                        if black && (ix < 0 || iy < 0 || ix > maximumX || iy > maximumY) {
                            sumY += colour.lumaOffset
                            sumCb += 128
                            sumCr += 128
                            continue
                        }
                        let px = min(max(ix, 0), maximumX), py = min(max(iy, 0), maximumY)
                        sumY += y.value(px, py)
                        sumCb += cb?.value(px, py) ?? 128
                        sumCr += cr?.value(px, py) ?? 128
                    }
                }
                colour.write(sumY * inverse, sumCb * inverse, sumCr * inverse, to: out)
                out += 3
            }
        }
    }
}

/// A component plane with its sample type known, for the inner loops.
private struct Plane<Sample: FixedWidthInteger & UnsignedInteger> {
    let base: UnsafeRawPointer
    let rowBytes: Int
    let step: Int
    let shiftX: Int
    let shiftY: Int
    let scale: Float

    init(_ plane: ComponentPlane) {
        base = plane.base
        rowBytes = plane.rowBytes
        step = plane.step
        shiftX = plane.shiftX
        shiftY = plane.shiftY
        scale = plane.scale
    }

    @inline(__always)
    func row(_ index: Int) -> UnsafeRawPointer { base + index &* rowBytes }

    @inline(__always)
    subscript(row: UnsafeRawPointer, column: Int) -> Int32 {
        Int32(truncatingIfNeeded: row.loadUnaligned(fromByteOffset: column &* step, as: Sample.self))
    }

    /// The value, 0...255, at a place given in luma samples.
    @inline(__always)
    func value(_ x: Int, _ y: Int) -> Float {
        Float(self[row(y >> shiftY), x >> shiftX]) * scale
    }
}
