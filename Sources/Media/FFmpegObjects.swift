import CFFmpeg
import Errors

// FFmpeg's objects, each with one owner in Swift. An owner frees its object when it is released, and
// nothing else frees one: an error on the way leaves nothing behind.
//
// `pointer` is for calls of FFmpeg only and is never kept beyond one.

/// An object that one function of FFmpeg frees.
protocol FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<Self>?)
}

extension AVFrame: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVFrame>?) { av_frame_free(&pointer) }
}

extension AVPacket: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVPacket>?) { av_packet_free(&pointer) }
}

extension AVCodecContext: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVCodecContext>?) {
        avcodec_free_context(&pointer)
    }
}

extension AVFilterGraph: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVFilterGraph>?) {
        avfilter_graph_free(&pointer)
    }
}

/// As an input; outputs are freed otherwise (`OutputContext`).
extension AVFormatContext: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVFormatContext>?) {
        avformat_close_input(&pointer)
    }
}

extension AVIOContext: FreedByFFmpeg {
    static func free(_ pointer: inout UnsafeMutablePointer<AVIOContext>?) {
        avio_closep(&pointer)
    }
}

/// The owner of one object. The object's fields are read and written as the owner's own.
@dynamicMemberLookup
final class Owned<Object: FreedByFFmpeg> {
    let pointer: UnsafeMutablePointer<Object>

    /// - Parameter pointer: what FFmpeg allocated for the caller; nil when it had no memory.
    fileprivate init(_ pointer: UnsafeMutablePointer<Object>?, _ what: String) throws {
        guard let pointer else { throw LoopyError(.processing, "out of memory for \(what)") }
        self.pointer = pointer
    }

    deinit {
        var freeing = Optional(pointer)
        Object.free(&freeing)
    }

    subscript<Value>(dynamicMember field: WritableKeyPath<Object, Value>) -> Value {
        get { pointer.pointee[keyPath: field] }
        set { pointer.pointee[keyPath: field] = newValue }
    }
}

// MARK: - Pictures, sound and packets

/// A picture, or a run of samples.
typealias Frame = Owned<AVFrame>

extension Owned where Object == AVFrame {
    convenience init() throws { try self.init(av_frame_alloc(), "a frame") }

    /// Makes a picture whose pixels are still to be written.
    static func picture(_ format: AVPixelFormat, width: Int32, height: Int32) throws -> Frame {
        let frame = try Frame()
        frame.format = format.rawValue
        (frame.width, frame.height) = (width, height)
        try check(
            av_frame_get_buffer(frame.pointer, 0), .processing, "out of memory for a picture")
        return frame
    }

    /// Makes a run of samples that are still to be written.
    static func samples(
        _ format: AVSampleFormat, rate: Int, channels: Int, count: Int
    ) throws -> Frame {
        let frame = try Frame()
        frame.format = format.rawValue
        frame.sample_rate = Int32(rate)
        frame.nb_samples = Int32(count)
        av_channel_layout_default(&frame.pointer.pointee.ch_layout, Int32(channels))
        try check(av_frame_get_buffer(frame.pointer, 0), .processing, "out of memory for samples")
        return frame
    }

    /// Another frame of the same pixels, with properties of its own.
    func reference() throws -> Frame { try Frame(av_frame_clone(pointer), "a picture") }

    var pixelFormat: AVPixelFormat { AVPixelFormat(pointer.pointee.format) }
}

/// A piece of encoded picture or sound.
typealias Packet = Owned<AVPacket>

extension Owned where Object == AVPacket {
    convenience init() throws { try self.init(av_packet_alloc(), "a packet") }

    var bytes: [UInt8] {
        Array(UnsafeBufferPointer(start: pointer.pointee.data, count: Int(pointer.pointee.size)))
    }
}

// MARK: - Codecs

/// A decoder or an encoder.
typealias CodecContext = Owned<AVCodecContext>

extension Owned where Object == AVCodecContext {
    convenience init(_ codec: UnsafePointer<AVCodec>) throws {
        try self.init(avcodec_alloc_context3(codec), "a codec")
    }

    // The status is FFmpeg's; nil ends the stream.
    func send(_ packet: Packet?) -> Int32 { avcodec_send_packet(pointer, packet?.pointer) }
    func send(_ frame: Frame?) -> Int32 { avcodec_send_frame(pointer, frame?.pointer) }
    func receive(into frame: Frame) -> Int32 { avcodec_receive_frame(pointer, frame.pointer) }
    func receive(into packet: Packet) -> Int32 { avcodec_receive_packet(pointer, packet.pointer) }
}

// MARK: - Containers

/// Names and values that FFmpeg takes.
final class Options {
    fileprivate var pointer: OpaquePointer?

    init(_ values: [String: String]) {
        for (name, value) in values { av_dict_set(&pointer, name, value, 0) }
    }

    deinit { av_dict_free(&pointer) }
}

/// A file that is being read.
typealias InputContext = Owned<AVFormatContext>

extension Owned where Object == AVFormatContext {
    /// - Parameters:
    ///   - address: what FFmpeg calls a URL.
    ///   - format: nil to find it out.
    ///   - failure: makes an error of FFmpeg's status.
    convenience init(
        address: String, format: UnsafePointer<AVInputFormat>?, options: Options,
        failure: (Int32) -> LoopyError
    ) throws {
        var opened: UnsafeMutablePointer<AVFormatContext>?
        let status = avformat_open_input(&opened, address, format, &options.pointer)
        // On failure FFmpeg has freed what it had allocated.
        guard status >= 0 else { throw failure(status) }
        try self.init(opened, "a file")
    }
}

/// The bytes of a file, as the demuxers look at them.
typealias InputBytes = Owned<AVIOContext>

extension Owned where Object == AVIOContext {
    convenience init(address: String) throws {
        var opened: UnsafeMutablePointer<AVIOContext>?
        try check(avio_open(&opened, address, AVIO_FLAG_READ), .unreadable, "cannot be opened")
        try self.init(opened, "a file")
    }
}

/// A container that is being written, to a file or in memory.
@dynamicMemberLookup
final class OutputContext {
    let pointer: UnsafeMutablePointer<AVFormatContext>
    private let isInMemory: Bool

    /// - Parameters:
    ///   - format: the muxer's name.
    ///   - path: the file to write; nil for memory.
    init(format: String, path: String?) throws {
        isInMemory = path == nil
        // "file:" keeps a name with a colon in it from being read as an address.
        let address = path.map { "file:" + $0 }
        var made: UnsafeMutablePointer<AVFormatContext>?
        try check(
            avformat_alloc_output_context2(&made, nil, format, address), .processing,
            "cannot write '\(format)'")
        pointer = made!  // set by every call that succeeds
        if let address {
            try check(
                avio_open(&pointer.pointee.pb, address, AVIO_FLAG_WRITE), .output,
                "cannot be written", path: path)
        } else {
            try check(
                avio_open_dyn_buf(&pointer.pointee.pb), .processing, "out of memory for output")
        }
    }

    deinit {
        if pointer.pointee.pb != nil {
            if isInMemory { _ = takeBytes() } else { avio_closep(&pointer.pointee.pb) }
        }
        avformat_free_context(pointer)
    }

    subscript<Value>(dynamicMember field: WritableKeyPath<AVFormatContext, Value>) -> Value {
        get { pointer.pointee[keyPath: field] }
        set { pointer.pointee[keyPath: field] = newValue }
    }

    func writeHeader(_ options: Options) -> Int32 {
        avformat_write_header(pointer, &options.pointer)
    }

    /// All bytes of a container in memory. Nothing can be written afterwards.
    func takeBytes() -> [UInt8] {
        var buffer: UnsafeMutablePointer<UInt8>?
        let count = Int(avio_close_dyn_buf(pointer.pointee.pb, &buffer))
        pointer.pointee.pb = nil
        defer { av_free(buffer) }
        return Array(UnsafeBufferPointer(start: buffer, count: count))
    }
}

// MARK: - Filters

/// The filters of one chain.
typealias FilterGraphContext = Owned<AVFilterGraph>

extension Owned where Object == AVFilterGraph {
    convenience init() throws { try self.init(avfilter_graph_alloc(), "a filter graph") }
}

/// An end of a chain of filters that is still to be connected.
struct FilterEnd: ~Copyable {
    /// FFmpeg replaces it when it has connected the end.
    var pointer: UnsafeMutablePointer<AVFilterInOut>?

    init(_ label: String, _ filter: UnsafeMutablePointer<AVFilterContext>) throws {
        guard let made = avfilter_inout_alloc() else {
            throw LoopyError(.processing, "out of memory for a filter")
        }
        made.pointee.name = av_strdup(label)
        made.pointee.filter_ctx = filter
        pointer = made
    }

    deinit {
        var freeing = pointer
        avfilter_inout_free(&freeing)
    }
}

// MARK: - Conversions

/// swscale, for pictures of one size and format.
final class ScalingContext {
    private let pointer: OpaquePointer
    private let source: (width: Int32, height: Int32, format: Int32)

    /// - Parameters:
    ///   - target: the format that pictures are converted to; their size stays.
    ///   - flags: swscale's.
    /// - Returns: nil when swscale cannot convert the format.
    init?(
        width: Int32, height: Int32, from format: AVPixelFormat, to target: AVPixelFormat,
        flags: Int32
    ) {
        guard
            let made = sws_getContext(
                width, height, format, width, height, target, flags, nil, nil, nil)
        else { return nil }
        pointer = made
        source = (width, height, format.rawValue)
    }

    deinit { sws_freeContext(pointer) }

    /// Pictures of another size or format need a new context.
    func accepts(_ frame: Frame) -> Bool {
        source == (frame.width, frame.height, frame.format)
    }

    /// - Parameters:
    ///   - matrix: swscale's number of the matrix, on both sides.
    ///   - fromFullRange: whether luma spans all values in the pictures; `toFullRange` in what is made.
    func setColours(matrix: Int32, fromFullRange: Bool, toFullRange: Bool) {
        let coefficients = sws_getCoefficients(matrix)
        let neutral: Int32 = 1 << 16  // contrast and saturation, 16.16
        sws_setColorspaceDetails(
            pointer, coefficients, fromFullRange ? 1 : 0, coefficients, toFullRange ? 1 : 0, 0,
            neutral, neutral)
    }

    /// - Returns: FFmpeg's status.
    func convert(_ frame: Frame, into target: Frame) -> Int32 {
        sws_scale_frame(pointer, target.pointer, frame.pointer)
    }

    /// - Parameters:
    ///   - rows: packed pixels without gaps between the rows.
    ///   - rowBytes: bytes from one row to the next.
    /// - Returns: FFmpeg's status.
    func convert(
        _ rows: UnsafeBufferPointer<UInt8>, rowBytes: Int, into target: Frame
    ) -> Int32 {
        var planes = [rows.baseAddress]
        var strides = [Int32(rowBytes)]
        var targets = [target.data.0, target.data.1, target.data.2]
        var targetStrides = [target.linesize.0, target.linesize.1, target.linesize.2]
        return sws_scale(
            pointer, &planes, &strides, 0, target.height, &targets, &targetStrides)
    }
}

/// Which channel is where; may own a list of them.
struct ChannelLayout: ~Copyable {
    var value = AVChannelLayout()

    deinit {
        var freeing = value
        av_channel_layout_uninit(&freeing)
    }
}

/// libswresample, from one format of sound to another.
final class ResamplingContext {
    /// nil until FFmpeg has made it.
    private(set) var pointer: OpaquePointer?

    init(
        from input: borrowing ChannelLayout, _ inputFormat: AVSampleFormat, rate inputRate: Int32,
        to output: borrowing ChannelLayout, _ outputFormat: AVSampleFormat, rate outputRate: Int32
    ) throws {
        var (source, target) = (input.value, output.value)
        try check(
            swr_alloc_set_opts2(
                &pointer, &target, outputFormat, outputRate, &source, inputFormat, inputRate, 0, nil
            ),
            .processing, "cannot make a resampler")
    }

    deinit { swr_free(&pointer) }
}
