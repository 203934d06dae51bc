import CFFmpeg
import Errors

/// A chain of FFmpeg filters over pictures of one size and format.
final class FilterGraph {
    private var graph: UnsafeMutablePointer<AVFilterGraph>?
    private let source: UnsafeMutablePointer<AVFilterContext>
    private let sink: UnsafeMutablePointer<AVFilterContext>
    private let (width, height, format): (Int32, Int32, Int32)

    /// - Parameter chain: filters as on ffmpeg's command line, comma-separated.
    init(_ chain: String, like frame: AVFrame, timeBase: AVRational, threads: Int) throws {
        guard let graph = avfilter_graph_alloc() else {
            throw LoopyError(.processing, "out of memory for a filter graph")
        }
        self.graph = graph
        (width, height, format) = (frame.width, frame.height, frame.format)
        graph.pointee.nb_threads = Int32(threads)
        let aspect = frame.sample_aspect_ratio
        var arguments =
            "video_size=\(frame.width)x\(frame.height):pix_fmt=\(frame.format)"
            + ":time_base=\(timeBase.num)/\(timeBase.den)"
        if aspect.num > 0 { arguments += ":pixel_aspect=\(aspect.num)/\(max(1, aspect.den))" }

        var created: UnsafeMutablePointer<AVFilterContext>?
        func add(_ filter: String, _ arguments: String?) throws
            -> UnsafeMutablePointer<AVFilterContext>
        {
            try check(
                avfilter_graph_create_filter(
                    &created, avfilter_get_by_name(filter), nil, arguments, nil, graph),
                .processing, "cannot make the filter '\(filter)'")
            return created!  // set by every call that succeeds
        }
        do {
            source = try add("buffer", arguments)
            sink = try add("buffersink", nil)
            var outputs = avfilter_inout_alloc(), inputs = avfilter_inout_alloc()
            defer {
                avfilter_inout_free(&outputs)
                avfilter_inout_free(&inputs)
            }
            outputs?.pointee.name = av_strdup("in")
            outputs?.pointee.filter_ctx = source
            inputs?.pointee.name = av_strdup("out")
            inputs?.pointee.filter_ctx = sink
            try check(
                avfilter_graph_parse_ptr(graph, chain, &inputs, &outputs, nil), .processing,
                "cannot build the filters '\(chain)'")
            try check(
                avfilter_graph_config(graph, nil), .processing,
                "cannot connect the filters '\(chain)'")
        } catch {
            avfilter_graph_free(&self.graph)
            throw error
        }
    }

    deinit { avfilter_graph_free(&graph) }

    /// Sends one picture in (nil ends the stream) and takes out whatever is ready.
    func push(_ frame: UnsafeMutablePointer<AVFrame>?) throws -> [UnsafeMutablePointer<AVFrame>] {
        try check(
            av_buffersrc_add_frame_flags(source, frame, Int32(AV_BUFFERSRC_FLAG_KEEP_REF)),
            .processing, "a filter refused a picture")
        var ready: [UnsafeMutablePointer<AVFrame>] = []
        while true {
            guard let out = av_frame_alloc() else { break }
            let status = av_buffersink_get_frame(sink, out)
            if status < 0 {
                var freeing: UnsafeMutablePointer<AVFrame>? = out
                av_frame_free(&freeing)
                if status == loopy_error_again || status == loopy_error_eof { break }
                try check(status, .processing, "a filter failed")
            }
            ready.append(out)
        }
        return ready
    }

    /// Pictures of another size or format need a new graph.
    func accepts(_ frame: AVFrame) -> Bool {
        frame.width == width && frame.height == height && frame.format == format
    }

    /// The sink's time base: filters such as deinterlacers change it.
    var timeBase: AVRational { av_buffersink_get_time_base(sink) }
}
