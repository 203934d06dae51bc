import CFFmpeg

/// Reads the speech of a media file as the networks want it: 16 kHz, mono, float.
public enum AudioReader {
    /// Jumps of the time line smaller than this are jitter of the container; larger ones are gaps
    /// (filled with silence) or overlaps (the later sound wins).
    private static let jitterSeconds = 0.03
    /// Decoded before the wanted span, so that codecs with memory have settled.
    private static let prerollSeconds = 1.0
    /// A jump beyond this is a broken timestamp and not followed.
    private static let longestJumpSeconds = Double(VideoClock.longestPauseSeconds)

    /// The samples of `count / 16000` seconds from `start`. Where the file has no sound (before
    /// its audio begins, in gaps, after its end) there are zeros.
    ///
    /// Stereo is averaged; where the channels cancel each other, the louder one is taken. Other
    /// layouts are mixed by FFmpeg's standard coefficients.
    ///
    /// - Parameters:
    ///   - start: seconds on the container's time line; `clock.startSeconds + index / 25.0` for
    ///     the sound that belongs to grid index `index`.
    /// - Throws: `MediaError` `.noAudio` when there is no audio stream that can be decoded.
    public static func read(
        path: String, start: Double, count: Int, limits: MediaLimits = MediaLimits()
    ) throws -> [Float] {
        if start > prerollSeconds {
            let seek = start - prerollSeconds
            if let found = try read(path, start, count, limits, seekTo: seek) { return found }
        }
        // Without a timestamp after the jump, only counting from the beginning tells the time.
        return try read(path, start, count, limits, seekTo: nil) ?? []
    }

    /// nil when decoding began somewhere that the file does not give a time for.
    private static func read(
        _ path: String, _ start: Double, _ count: Int, _ limits: MediaLimits, seekTo seek: Double?
    ) throws -> [Float]? {
        var track = SpeechTrack(start: start, count: count)
        var nextTime: Double?
        var isLost = false
        try decode(path: path, bytes: nil, limits: limits, seekTo: seek) { frame, stated in
            isLost = nextTime == nil && stated == nil && seek != nil
            if isLost { return false }
            var time = nextTime ?? stated ?? 0
            if let stated, (jitterSeconds...longestJumpSeconds).contains(abs(stated - time)) {
                time = stated
            }
            if time >= track.end { return false }
            try track.append(frame, at: time, continues: time == nextTime)
            nextTime = time + Double(frame.pointee.nb_samples) / Double(frame.pointee.sample_rate)
            return true
        }
        if isLost { return nil }
        try track.finishRun()
        return track.mixed()
    }

    /// Decodes the audio that a player would choose.
    ///
    /// - Parameters:
    ///   - seekTo: seconds at or before which to begin; nil for the beginning.
    ///   - body: takes a frame and its time in seconds, where it has one; false ends the reading.
    private static func decode(
        path: String, bytes: Range<Int>?, limits: MediaLimits, seekTo: Double?,
        _ body: (UnsafeMutablePointer<AVFrame>, Double?) throws -> Bool
    ) throws {
        let container = try Container(path: path, bytes: bytes, limits: limits)
        let video = container.bestStream(AVMEDIA_TYPE_VIDEO)
        guard let index = container.bestStream(AVMEDIA_TYPE_AUDIO, relatedTo: video) else {
            throw MediaError(.noAudio, "has no audio stream that can be decoded", path: path)
        }
        container.readOnly(index)
        let stream = container.stream(index)
        let decoder = try Decoder(stream, threads: 1, limits: limits, path: path)
        let timeBase = stream.pointee.time_base
        let secondsPerTick = Double(timeBase.num) / Double(timeBase.den)
        if let seekTo {
            // A container that cannot seek is read from its beginning: slower, not different.
            let bound = 1e18
            _ = container.seek(index, to: Int64(min(bound, seekTo / secondsPerTick)))
        }
        var packet = av_packet_alloc()
        var frame = av_frame_alloc()
        defer {
            av_packet_free(&packet)
            av_frame_free(&frame)
        }
        guard let packet, let frame else {
            throw MediaError(.processing, "out of memory for a packet", path: path)
        }
        var ended = false
        while !ended {
            if container.nextPacket(of: index, into: packet) {
                _ = avcodec_send_packet(decoder.context, packet)
            } else {
                ended = true
                _ = avcodec_send_packet(decoder.context, nil)
            }
            while avcodec_receive_frame(decoder.context, frame) >= 0 {
                guard frame.pointee.sample_rate > 0, frame.pointee.nb_samples > 0 else { continue }
                let timestamp = frame.pointee.best_effort_timestamp
                let time = timestamp == loopy_no_pts ? nil : Double(timestamp) * secondsPerTick
                guard try body(frame, time) else { return }
            }
        }
    }
}

/// Collects resampled sound at its place in the wanted span.
private struct SpeechTrack {
    let start: Double
    let count: Int
    var end: Double { start + Double(count) / Double(Grid.sampleRate) }

    private var left: [Float]
    private var right: [Float] = []
    private var run: Resampler?
    /// Where in the span the run's next output sample belongs.
    private var position = 0

    init(start: Double, count: Int) {
        self.start = start
        self.count = count
        left = [Float](repeating: 0, count: count)
    }

    mutating func append(
        _ frame: UnsafeMutablePointer<AVFrame>, at time: Double, continues: Bool
    ) throws {
        if !continues || run?.accepts(frame.pointee) != true {
            try finishRun()
            let resampler = try Resampler(for: frame)
            // Beyond any span, a place needs no precision but must fit an integer.
            let place = max(-1e12, (time - start) * Double(Grid.sampleRate))
            position = try resampler.align(to: place)
            run = resampler
        }
        place(try run!.convert(frame))  // made above where it was missing
    }

    mutating func finishRun() throws {
        guard let ending = run else { return }
        place(try ending.convert(nil))
        run = nil
    }

    private mutating func place(_ channels: [[Float]]) {
        let produced = channels[0].count
        let from = max(0, -position), to = min(produced, count - position)
        if from < to {
            if channels.count == 2, right.isEmpty {
                right = left
            }
            for index in from..<to {
                left[position + index] = SpeechTrack.finite(channels[0][index])
            }
            if !right.isEmpty {
                let second = channels[channels.count - 1]
                for index in from..<to {
                    right[position + index] = SpeechTrack.finite(second[index])
                }
            }
        }
        position += produced
    }

    /// Files of floating-point sound can hold values that are no numbers.
    private static func finite(_ value: Float) -> Float { value.isFinite ? value : 0 }

    func mixed() -> [Float] {
        guard !right.isEmpty else { return left }
        var mix = [Float](repeating: 0, count: count)
        var energy = (mix: 0.0, left: 0.0, right: 0.0)
        for index in 0..<count {
            let value = (left[index] + right[index]) / 2
            mix[index] = value
            energy.mix += Double(value * value)
            energy.left += Double(left[index] * left[index])
            energy.right += Double(right[index] * right[index])
        }
        guard energy.mix < 0.01 * max(energy.left, energy.right) else { return mix }
        return energy.left >= energy.right ? left : right
    }
}

/// libswresample for one run of frames that share rate, format and layout.
private final class Resampler {
    private var context: OpaquePointer?
    private let rate: Int32, format: Int32, inputChannels: Int32
    private let outputChannels: Int

    init(for frame: UnsafeMutablePointer<AVFrame>) throws {
        rate = frame.pointee.sample_rate
        format = frame.pointee.format
        inputChannels = frame.pointee.ch_layout.nb_channels
        outputChannels = inputChannels == 2 ? 2 : 1
        var input = AVChannelLayout(), output = AVChannelLayout()
        defer { av_channel_layout_uninit(&input) }
        if frame.pointee.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC {
            av_channel_layout_default(&input, inputChannels)
        } else {
            av_channel_layout_copy(&input, &frame.pointee.ch_layout)
        }
        av_channel_layout_default(&output, Int32(outputChannels))
        try check(
            swr_alloc_set_opts2(
                &context, &output, AV_SAMPLE_FMT_FLTP, Int32(Grid.sampleRate), &input,
                AVSampleFormat(format), rate, 0, nil),
            .processing, "cannot make a resampler")
        if input.order != AV_CHANNEL_ORDER_NATIVE {
            // Nobody knows what these channels are: all count the same.
            let matrix = [Double](
                repeating: 1 / Double(inputChannels), count: Int(inputChannels) * outputChannels)
            try check(
                swr_set_matrix(context, matrix, inputChannels), .processing,
                "cannot mix \(inputChannels) channels")
        }
        try check(swr_init(context), .processing, "cannot start the resampler")
    }

    /// Puts silence before the first sample, so that output samples fall on whole places: sound
    /// read from the middle of a file then has the very phase of sound read from its beginning.
    ///
    /// - Parameter place: where the first input sample belongs, in output samples.
    /// - Returns: where the first output sample belongs.
    func align(to place: Double) throws -> Int {
        let step = Double(Grid.sampleRate) / Double(rate)
        func distance(_ silence: Int) -> Double {
            let shifted = place - Double(silence) * step
            // Slightly favouring one side decides ties the same way everywhere.
            let offset = shifted - shifted.rounded()
            return abs(offset - 1e-5)
        }
        // Common rates meet 16 kHz again within 441 samples.
        var best = 0
        for silence in 1..<441 where distance(silence) < distance(best) - 1e-6 { best = silence }
        if best > 0 {
            try check(
                swr_inject_silence(context, Int32(best)), .processing, "cannot align the sound")
        }
        return Int((place - Double(best) * step).rounded())
    }

    deinit { swr_free(&context) }

    func accepts(_ frame: AVFrame) -> Bool {
        frame.sample_rate == rate && frame.format == format
            && frame.ch_layout.nb_channels == inputChannels
    }

    /// Resamples one frame; nil drains what the filter still holds.
    func convert(_ frame: UnsafeMutablePointer<AVFrame>?) throws -> [[Float]] {
        let samples = frame?.pointee.nb_samples ?? 0
        let capacity = max(1, Int(swr_get_out_samples(context, samples)))
        var output = [Float](repeating: 0, count: capacity * outputChannels)
        let produced = output.withUnsafeMutableBufferPointer { buffer in
            buffer.withMemoryRebound(to: UInt8.self) { bytes in
                var planes: [UnsafeMutablePointer<UInt8>?] = (0..<outputChannels).map {
                    bytes.baseAddress! + $0 * capacity * MemoryLayout<Float>.stride
                }
                guard let frame else {
                    return swr_convert(context, &planes, Int32(capacity), nil, 0)
                }
                return frame.pointee.extended_data.withMemoryRebound(
                    to: UnsafePointer<UInt8>?.self, capacity: Int(inputChannels)
                ) { swr_convert(context, &planes, Int32(capacity), $0, samples) }
            }
        }
        try check(produced, .processing, "resampling failed")
        return (0..<outputChannels).map {
            Array(output[($0 * capacity)..<($0 * capacity + Int(produced))])
        }
    }
}

extension AudioReader {
    /// Samples that the audio of a file decodes to, at its own rate.
    public static func sampleCount(
        path: String, bytes: Range<Int>? = nil, limits: MediaLimits = MediaLimits()
    ) throws -> Int {
        var count = 0
        try decode(path: path, bytes: bytes, limits: limits, seekTo: nil) { frame, _ in
            count += Int(frame.pointee.nb_samples)
            return true
        }
        return count
    }
}
