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

    /// Copies `[height, width, 3]` values of 0...255 to a place.
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

    /// Text with its top left corner at a place; drawn by FFmpeg when the picture is saved.
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
    public func png() throws -> [UInt8] {
        guard var frame = av_frame_alloc() else {
            throw LoopyError(.processing, "out of memory for a picture")
        }
        defer { free(frame) }
        frame.pointee.format = AV_PIX_FMT_RGB24.rawValue
        frame.pointee.width = Int32(width)
        frame.pointee.height = Int32(height)
        try check(av_frame_get_buffer(frame, 0), .processing, "out of memory for a picture")
        for row in 0..<height {
            _ = pixels.withUnsafeBytes { bytes in
                memcpy(
                    frame.pointee.data.0! + row * Int(frame.pointee.linesize.0),
                    bytes.baseAddress! + row * width * 3, width * 3)
            }
        }
        if !texts.isEmpty {
            frame.pointee.pts = 0
            let graph = try FilterGraph(
                texts.map(Canvas.textFilter).joined(separator: ","), like: frame.pointee,
                timeBase: Grid.timeBase, threads: 1)
            if let drawn = try graph.push(frame).first {
                free(frame)
                frame = drawn
            }
        }
        return try Canvas.encode(frame)
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

    private static func encode(_ frame: UnsafeMutablePointer<AVFrame>) throws -> [UInt8] {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_PNG),
            let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc()
        else { throw LoopyError(.processing, "this FFmpeg was built without a PNG encoder") }
        var freeingContext: UnsafeMutablePointer<AVCodecContext>? = context
        var freeingPacket: UnsafeMutablePointer<AVPacket>? = packet
        defer {
            avcodec_free_context(&freeingContext)
            av_packet_free(&freeingPacket)
        }
        context.pointee.width = frame.pointee.width
        context.pointee.height = frame.pointee.height
        context.pointee.pix_fmt = AVPixelFormat(frame.pointee.format)
        context.pointee.time_base = Grid.timeBase
        try check(avcodec_open2(context, codec, nil), .processing, "cannot open the PNG encoder")
        try check(avcodec_send_frame(context, frame), .processing, "cannot encode a picture")
        try check(avcodec_receive_packet(context, packet), .processing, "cannot encode a picture")
        return Array(
            UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size)))
    }
}
