import CFFmpeg
import Errors
import Foundation

/// An RGB picture to draw on and save as PNG: what the contact sheet is made of.
public struct Canvas {
    public let width: Int
    public let height: Int
    /// `[height, width, 3]`, 0...255.
    public var pixels: [UInt8]
    private var texts: [(text: String, x: Int, y: Int, size: Int, colour: Colour)] = []

    public struct Colour: Sendable {
        public let red: UInt8, green: UInt8, blue: UInt8

        public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
            (self.red, self.green, self.blue) = (red, green, blue)
        }
    }

    public init(width: Int, height: Int, fill: Colour) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: 0, count: width * height * 3)
        fillRectangle(x: 0, y: 0, width: width, height: height, fill)
    }

    public mutating func fillRectangle(x: Int, y: Int, width: Int, height: Int, _ colour: Colour) {
        for row in max(0, y)..<min(self.height, y + height) {
            for column in max(0, x)..<min(self.width, x + width) { set(column, row, colour) }
        }
    }

    public mutating func drawDisc(x: Double, y: Double, radius: Double, _ colour: Colour) {
        for row in Int(y - radius)...Int(y + radius + 1) {
            for column in Int(x - radius)...Int(x + radius + 1) {
                let dx = Double(column) + 0.5 - x, dy = Double(row) + 0.5 - y
                if dx * dx + dy * dy <= radius * radius { set(column, row, colour) }
            }
        }
    }

    public mutating func drawRectangle(
        x: Int, y: Int, width: Int, height: Int, thickness: Int, _ colour: Colour
    ) {
        fillRectangle(x: x, y: y, width: width, height: thickness, colour)
        fillRectangle(x: x, y: y + height - thickness, width: width, height: thickness, colour)
        fillRectangle(x: x, y: y, width: thickness, height: height, colour)
        fillRectangle(x: x + width - thickness, y: y, width: thickness, height: height, colour)
    }

    /// Copies `[height, width, 3]` values of 0...255; `x` and `y` are where their upper left corner comes.
    public mutating func paste(_ rgb: [Float], x: Int, y: Int, width: Int, height: Int) {
        for row in 0..<height {
            for column in 0..<width {
                let from = (row * width + column) * 3
                set(
                    x + column, y + row,
                    Colour(UInt8(rgb[from]), UInt8(rgb[from + 1]), UInt8(rgb[from + 2])))
            }
        }
    }

    /// Writes text with its upper left corner at `x` and `y`; drawn by FFmpeg when the picture is saved.
    public mutating func drawText(_ text: String, x: Int, y: Int, size: Int, _ colour: Colour) {
        texts.append((text, x, y, size, colour))
    }

    private mutating func set(_ x: Int, _ y: Int, _ colour: Colour) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        let at = (y * width + x) * 3
        pixels[at] = colour.red
        pixels[at + 1] = colour.green
        pixels[at + 2] = colour.blue
    }

    /// The picture as a PNG file.
    public func png() throws -> [UInt8] { try Canvas.encode(picture(), "png") }

    /// The picture as a JPEG file, of good quality.
    public func jpeg() throws -> [UInt8] {
        let rgb = try picture()
        let graph = try FilterGraph(
            "scale=out_range=pc:out_color_matrix=bt601,format=yuvj420p", like: rgb,
            timeBase: Grid.timeBase, threads: 1)
        return try Canvas.encode(graph.push(rgb).first ?? rgb, "mjpeg")
    }

    /// What is drawn, in RGB.
    private func picture() throws -> Frame {
        let frame = try Frame.picture(
            AV_PIX_FMT_RGB24, width: Int32(width), height: Int32(height))
        pixels.withUnsafeBufferPointer { pixels in
            for row in 0..<height {
                // A picture that FFmpeg allocated has its first plane; an array with pixels, a base.
                (frame.data.0! + row * Int(frame.linesize.0)).update(
                    from: pixels.baseAddress! + row * width * 3, count: width * 3)
            }
        }
        frame.pts = 0
        guard !texts.isEmpty else { return frame }
        let graph = try FilterGraph(
            texts.map(Canvas.textFilter).joined(separator: ","), like: frame,
            timeBase: Grid.timeBase, threads: 1)
        return try graph.push(frame).first ?? frame
    }

    private static func textFilter(
        _ text: (text: String, x: Int, y: Int, size: Int, colour: Colour)
    ) -> String {
        // Three readers unquote a filter's text in turn: these characters mean something to one.
        let plain = String(text.text.map { "\\':,;[]%=".contains($0) ? " " : $0 })
        let colour = String(
            format: "0x%02x%02x%02x", text.colour.red, text.colour.green, text.colour.blue)
        return "drawtext=text='\(plain)':x=\(text.x):y=\(text.y):fontsize=\(text.size)"
            + ":fontcolor=\(colour):font=DejaVu Sans:expansion=none"
    }

    private static func encode(_ frame: Frame, _ codec: String) throws -> [UInt8] {
        let encoder = try PacketEncoder(codec: codec, hasGlobalHeader: false) { context in
            (context.width, context.height) = (frame.width, frame.height)
            context.pix_fmt = frame.pixelFormat
            context.color_range = frame.color_range
            context.time_base = Grid.timeBase
            // JPEG's alone: the quantiser, of which small ones are good.
            context.flags |= AV_CODEC_FLAG_QSCALE
            context.global_quality = 4 * FF_QP2LAMBDA
        }
        frame.quality = 4 * FF_QP2LAMBDA
        var bytes: [UInt8] = []
        for input in [frame, nil] { try encoder.encode(input) { bytes += $0.bytes } }
        return bytes
    }
}
