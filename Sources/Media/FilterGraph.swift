import CFFmpeg
import Errors

/// A chain of FFmpeg filters over pictures of one size and format.
final class FilterGraph {
    private let graph: FilterGraphContext
    // The graph owns its filters.
    private let source: UnsafeMutablePointer<AVFilterContext>
    private let sink: UnsafeMutablePointer<AVFilterContext>
    private let (width, height, format): (Int32, Int32, Int32)

    /// - Parameter chain: filters as on ffmpeg's command line, comma-separated.
    /// - Throws: `LoopyError` `.processing`, as everything here.
    init(_ chain: String, like frame: Frame, timeBase: AVRational, threads: Int) throws {
        let graph = try FilterGraphContext()
        graph.nb_threads = Int32(threads)
        let aspect = frame.sample_aspect_ratio
        var arguments =
            "video_size=\(frame.width)x\(frame.height):pix_fmt=\(frame.format)"
            + ":time_base=\(timeBase.num)/\(timeBase.den)"
        if aspect.num > 0 { arguments += ":pixel_aspect=\(aspect.num)/\(max(1, aspect.den))" }
        source = try Self.add("buffer", arguments, to: graph)
        sink = try Self.add("buffersink", nil, to: graph)
        (width, height, format) = (frame.width, frame.height, frame.format)
        self.graph = graph

        var outputs = try FilterEnd("in", source), inputs = try FilterEnd("out", sink)
        try check(
            avfilter_graph_parse_ptr(
                graph.pointer, chain, &inputs.pointer, &outputs.pointer, nil),
            .processing, "cannot build the filters '\(chain)'")
        try check(
            avfilter_graph_config(graph.pointer, nil), .processing,
            "cannot connect the filters '\(chain)'")
    }

    private static func add(
        _ filter: String, _ arguments: String?, to graph: FilterGraphContext
    ) throws -> UnsafeMutablePointer<AVFilterContext> {
        var created: UnsafeMutablePointer<AVFilterContext>?
        try check(
            avfilter_graph_create_filter(
                &created, avfilter_get_by_name(filter), nil, arguments, nil, graph.pointer),
            .processing, "cannot make the filter '\(filter)'")
        return created!  // set by every call that succeeds
    }

    /// Sends one picture in (nil ends the stream) and takes out whatever is ready.
    func push(_ frame: Frame?) throws -> [Frame] {
        try check(
            av_buffersrc_add_frame_flags(
                source, frame?.pointer, Int32(AV_BUFFERSRC_FLAG_KEEP_REF)),
            .processing, "a filter refused a picture")
        var ready: [Frame] = []
        while true {
            let out = try Frame()
            let status = av_buffersink_get_frame(sink, out.pointer)
            if status == loopy_error_again || status == loopy_error_eof { return ready }
            try check(status, .processing, "a filter failed")
            ready.append(out)
        }
    }

    /// Pictures of another size or format need a new graph.
    func accepts(_ frame: Frame) -> Bool {
        frame.width == width && frame.height == height && frame.format == format
    }

    /// The sink's time base: filters such as deinterlacers change it.
    var timeBase: AVRational { av_buffersink_get_time_base(sink) }
}
