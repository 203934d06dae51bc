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
    /// is converted. Bilinear in luma, and in RGB; an average of up to 4x4 taps a pixel when shrinking to
    /// less than 1/3.5.
    ///
    /// - Parameters:
    ///   - region: maps output pixels (0...width, 0...height) to points of the upright picture.
    ///   - rgb: filled with `[height, width, 3]`, `value · scale + bias` with value in 0...255.
    public func sample(
        _ region: Affine, width: Int, height: Int, border: Border = .replicate,
        scale: Float = 1, bias: Float = 0, into rgb: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(rgb.count >= width * height * 3, "the buffer is smaller than the region")
        // The planes stand as long as the frame.
        withExtendedLifetime(frame) {
            let planes = planes
            let sampler = PlaneSampler(
                map: region.then(orientation.uprightToCoded), width: width, height: height,
                border: border)
            let colour =
                isRGB ? nil : ColourMatrix(frame, scale: scale, bias: bias)
            if planes[0].bytesPerSample == 1 {
                sampler.fill(rgb, from: planes.map(Plane<UInt8>.init), colour, scale, bias)
            } else {
                sampler.fill(rgb, from: planes.map(Plane<UInt16>.init), colour, scale, bias)
            }
        }
    }

    /// The same as an array: `[height, width, 3]`, 0...255.
    public func pixels(
        _ region: Affine, width: Int, height: Int, border: Border = .replicate
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
            sample(region, width: width, height: height, border: border, into: buffer)
            count = width * height * 3
        }
    }
}

/// Y'CbCr (0...255) to R'G'B' (0...255, then scaled), for one matrix and range.
private struct ColourMatrix {
    let luma: Float, redCr: Float, greenCb: Float, greenCr: Float, blueCb: Float
    let lumaOffset: Float
    let scale: Float, bias: Float

    init(_ frame: Frame, scale: Float, bias: Float) {
        let (kr, kb) = ColourStandard(frame).weights
        let fullRange = frame.isFullRange
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

/// Makes output pixels of one plane's values.
private protocol PixelWriter {
    /// - Parameters:
    ///   - value: the plane's value, 0...255.
    ///   - x: the column of the nearest sample of the plane.
    ///   - y: its row.
    func write(_ value: Float, x: Int, y: Int, to out: UnsafeMutablePointer<Float>)
    /// Writes a pixel of what surrounds the picture, 0...255.
    func writeBorder(_ gray: Float, to out: UnsafeMutablePointer<Float>)
}

private struct GrayWriter: PixelWriter {
    let colour: ColourMatrix

    @inline(__always)
    func write(_ value: Float, x: Int, y: Int, to out: UnsafeMutablePointer<Float>) {
        colour.write(value, 128, 128, to: out)
    }

    func writeBorder(_ gray: Float, to out: UnsafeMutablePointer<Float>) {
        colour.write(gray / colour.luma + colour.lumaOffset, 128, 128, to: out)
    }
}

/// Samples a plane of luma; the chroma of a pixel is that of the nearest sample.
private struct ColourWriter<Sample: FixedWidthInteger & UnsignedInteger>: PixelWriter {
    let colour: ColourMatrix
    let cb: Plane<Sample>
    let cr: Plane<Sample>

    @inline(__always)
    func write(_ value: Float, x: Int, y: Int, to out: UnsafeMutablePointer<Float>) {
        colour.write(value, cb.value(x, y), cr.value(x, y), to: out)
    }

    func writeBorder(_ gray: Float, to out: UnsafeMutablePointer<Float>) {
        GrayWriter(colour: colour).writeBorder(gray, to: out)
    }
}

/// Samples a plane of red, green or blue: only that channel is written.
private struct ChannelWriter: PixelWriter {
    let channel: Int
    let scale: Float
    let bias: Float

    @inline(__always)
    func write(_ value: Float, x: Int, y: Int, to out: UnsafeMutablePointer<Float>) {
        out[channel] = min(value, 255) * scale + bias
    }

    func writeBorder(_ gray: Float, to out: UnsafeMutablePointer<Float>) {
        write(gray, x: 0, y: 0, to: out)
    }
}

/// Walks over the output pixels and reads planes at the points they map to, in 16.16 fixed point.
private struct PlaneSampler {
    let map: Affine
    let width: Int
    let height: Int
    let border: Border

    /// - Parameter colour: nil for planes of red, green and blue.
    func fill<Sample>(
        _ rgb: UnsafeMutableBufferPointer<Float>, from planes: [Plane<Sample>],
        _ colour: ColourMatrix?, _ scale: Float, _ bias: Float
    ) {
        let out = rgb.baseAddress!  // the caller checked that the buffer is large enough
        guard let colour else {
            for (channel, plane) in planes.enumerated() {
                fill(out, plane, ChannelWriter(channel: channel, scale: scale, bias: bias))
            }
            return
        }
        if planes.count == 1 {
            fill(out, planes[0], GrayWriter(colour: colour))
        } else {
            fill(out, planes[0], ColourWriter(colour: colour, cb: planes[1], cr: planes[2]))
        }
    }

    private func fill<Sample>(
        _ out: UnsafeMutablePointer<Float>, _ plane: Plane<Sample>, _ writer: some PixelWriter
    ) {
        // Coded pixels an output pixel, along the axis where there are more. Bilinear reading is
        // what MediaPipe feeds its networks with at any scale; beyond 3.5 it aliases too much.
        let shrink = max(
            (map.xx * map.xx + map.yx * map.yx).squareRoot(),
            (map.xy * map.xy + map.yy * map.yy).squareRoot())
        let taps = shrink < 3.5 ? 1 : Int(min(4, (shrink / 2).rounded()))
        let isInside = stays(inside: plane)
        for row in 0..<height {
            let line = out + row * width * 3
            if taps == 1 {
                fillBilinear(row, line, plane, writer, isInside)
            } else {
                fillAveraged(row, line, plane, writer, isInside, taps: taps)
            }
        }
    }

    /// What surrounds the picture; nil for its nearest pixels.
    private var gray: Float? {
        switch border {
        case .gray(let value): value
        case .replicate: nil
        }
    }

    /// True when every sample that is read, and its right and lower neighbour, is in the picture.
    private func stays<Sample>(inside plane: Plane<Sample>) -> Bool {
        let corners = [(0, 0), (width, 0), (0, height), (width, height)]
        return corners.allSatisfy { corner in
            let point = map(Double(corner.0), Double(corner.1))
            return point.x >= 1 && point.y >= 1 && point.x <= Double(plane.width - 2)
                && point.y <= Double(plane.height - 2)
        }
    }

    /// 16.16 fixed point; points beyond all pictures are brought near enough to be counted in it.
    @inline(__always)
    private func fixed(_ value: Double) -> Int {
        let bound = 1e9
        return Int(max(-bound, min(bound, value)) * 65536)
    }

    @inline(__always)
    private func fillBilinear<Sample>(
        _ row: Int, _ line: UnsafeMutablePointer<Float>, _ plane: Plane<Sample>,
        _ writer: some PixelWriter, _ isInside: Bool
    ) {
        let gray = gray
        let start = map(0.5, Double(row) + 0.5)
        // Relative to sample centres.
        var x = fixed(start.x - 0.5), y = fixed(start.y - 0.5)
        let dx = fixed(map.xx), dy = fixed(map.yx)
        let scale = plane.scale / 65536
        let (lastX, lastY) = (plane.width &- 1, plane.height &- 1)
        var out = line
        for _ in 0..<width {
            var left = x >> 16, top = y >> 16
            var right = left &+ 1, bottom = top &+ 1
            if !isInside {
                if let gray, left < -1 || top < -1 || left > lastX || top > lastY {
                    writer.writeBorder(gray, to: out)
                    (x, y, out) = (x &+ dx, y &+ dy, out + 3)
                    continue
                }
                (left, right) = (min(max(left, 0), lastX), min(max(right, 0), lastX))
                (top, bottom) = (min(max(top, 0), lastY), min(max(bottom, 0), lastY))
            }
            let fx = (x >> 8) & 0xff, fy = (y >> 8) & 0xff
            let upper = plane.row(top), lower = plane.row(bottom)
            let a = plane.at(upper, left) &* (256 &- fx) &+ plane.at(upper, right) &* fx
            let b = plane.at(lower, left) &* (256 &- fx) &+ plane.at(lower, right) &* fx
            writer.write(
                Float(a &* (256 &- fy) &+ b &* fy) * scale, x: fx < 128 ? left : right,
                y: fy < 128 ? top : bottom, to: out)
            (x, y, out) = (x &+ dx, y &+ dy, out + 3)
        }
    }

    @inline(__always)
    private func fillAveraged<Sample>(
        _ row: Int, _ line: UnsafeMutablePointer<Float>, _ plane: Plane<Sample>,
        _ writer: some PixelWriter, _ isInside: Bool, taps: Int
    ) {
        let gray = gray
        // A pixel's taps lie on a grid over it.
        let stepX = (fixed(map.xx / Double(taps)), fixed(map.yx / Double(taps)))
        let stepY = (fixed(map.xy / Double(taps)), fixed(map.yy / Double(taps)))
        let first = map(0.5 / Double(taps), Double(row) + 0.5 / Double(taps))
        let middle = map(0.5, Double(row) + 0.5)
        var (startX, startY) = (fixed(first.x), fixed(first.y))
        var (middleX, middleY) = (fixed(middle.x), fixed(middle.y))
        let (dx, dy) = (fixed(map.xx), fixed(map.yx))
        let (lastX, lastY) = (plane.width &- 1, plane.height &- 1)
        let scale = plane.scale / Float(taps * taps)
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
                    sum &+= plane.at(plane.row(py), px)
                    (x, y) = (x &+ stepX.0, y &+ stepX.1)
                }
                (lineX, lineY) = (lineX &+ stepY.0, lineY &+ stepY.1)
            }
            if let gray, outside * 2 > taps * taps {
                writer.writeBorder(gray, to: out)
            } else {
                // Chroma has no fine detail to alias: one tap in the middle.
                writer.write(
                    Float(sum) * scale, x: min(max(middleX >> 16, 0), lastX),
                    y: min(max(middleY >> 16, 0), lastY), to: out)
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

    /// The value, 0...255, nearest to a luma sample.
    @inline(__always)
    func value(_ x: Int, _ y: Int) -> Float { Float(at(row(y >> shiftY), x >> shiftX)) * scale }
}
