import CFFmpeg

/// libswresample for one run of frames that share rate, format and layout.
final class Resampler {
    private var context: OpaquePointer?
    private let rate: Int32, format: Int32, inputChannels: Int32
    private let outputRate: Int
    private let outputChannels: Int

    /// - Parameter outputRate: samples a second.
    init(for frame: UnsafeMutablePointer<AVFrame>, to outputRate: Int) throws {
        self.outputRate = outputRate
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
                &context, &output, AV_SAMPLE_FMT_FLTP, Int32(outputRate), &input,
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
        let step = Double(outputRate) / Double(rate)
        func distance(_ silence: Int) -> Double {
            let shifted = place - Double(silence) * step
            // Slightly favouring one side decides ties the same way everywhere.
            let offset = shifted - shifted.rounded()
            return abs(offset - 1e-5)
        }
        // Common rates meet 16 kHz, and 48 kHz, again within 441 samples.
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
