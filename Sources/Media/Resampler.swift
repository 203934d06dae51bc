import CFFmpeg

/// libswresample for one run of frames that share rate, format and layout.
final class Resampler {
    private let context: ResamplingContext
    private let rate: Int32, format: Int32, inputChannels: Int32
    private let outputRate: Int
    private let outputChannels: Int

    /// - Parameter outputRate: the number of samples a second.
    /// - Throws: `LoopyError` `.processing`, as everything here.
    init(for frame: Frame, to outputRate: Int) throws {
        self.outputRate = outputRate
        rate = frame.sample_rate
        format = frame.format
        inputChannels = frame.ch_layout.nb_channels
        outputChannels = inputChannels == 2 ? 2 : 1
        var input = ChannelLayout(), output = ChannelLayout()
        if frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC {
            av_channel_layout_default(&input.value, inputChannels)
        } else {
            try check(
                av_channel_layout_copy(&input.value, &frame.ch_layout), .processing,
                "cannot read the channels")
        }
        av_channel_layout_default(&output.value, Int32(outputChannels))
        context = try ResamplingContext(
            from: input, AVSampleFormat(format), rate: rate,
            to: output, AV_SAMPLE_FMT_FLTP, rate: Int32(outputRate))
        let isGuessed = frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC && inputChannels > 2
        if isGuessed || input.value.order != AV_CHANNEL_ORDER_NATIVE {
            // Nobody knows what these channels are: all count the same.
            let matrix = [Double](
                repeating: 1 / Double(inputChannels), count: Int(inputChannels) * outputChannels)
            try check(
                swr_set_matrix(context.pointer, matrix, inputChannels), .processing,
                "cannot mix \(inputChannels) channels")
        }
        // As FFmpeg mixes integer samples: channels that are all loud are not louder together.
        try check(
            av_opt_set_double(UnsafeMutableRawPointer(context.pointer), "rematrix_maxval", 1, 0),
            .processing, "cannot set the mix")
        try check(swr_init(context.pointer), .processing, "cannot start the resampler")
    }

    /// Puts silence before the first sample, so that output samples fall on whole positions: sound
    /// read from the middle of a file then has the very phase of sound read from its beginning.
    ///
    /// - Parameter position: where the first input sample belongs, in output samples.
    /// - Returns: where the first output sample belongs.
    func align(to position: Double) throws -> Int {
        let step = Double(outputRate) / Double(rate)
        func distance(_ silence: Int) -> Double {
            let shifted = position - Double(silence) * step
            // Slightly favouring one side decides ties the same way everywhere.
            let offset = shifted - shifted.rounded()
            return abs(offset - 1e-5)
        }
        // Common rates meet 16 kHz, and 48 kHz, again within 441 samples.
        var best = 0
        for silence in 1..<441 where distance(silence) < distance(best) - 1e-6 { best = silence }
        if best > 0 {
            try check(
                swr_inject_silence(context.pointer, Int32(best)), .processing,
                "cannot align the sound")
        }
        return Int((position - Double(best) * step).rounded())
    }

    func accepts(_ frame: Frame) -> Bool {
        frame.sample_rate == rate && frame.format == format
            && frame.ch_layout.nb_channels == inputChannels
    }

    /// Resamples one frame; nil drains what the filter still holds.
    func convert(_ frame: Frame?) throws -> [[Float]] {
        let samples = frame?.nb_samples ?? 0
        let capacity = max(1, Int(swr_get_out_samples(context.pointer, samples)))
        var output = [Float](repeating: 0, count: capacity * outputChannels)
        let produced = output.withUnsafeMutableBufferPointer { buffer in
            buffer.withMemoryRebound(to: UInt8.self) { bytes in
                var planes: [UnsafeMutablePointer<UInt8>?] = (0..<outputChannels).map {
                    bytes.baseAddress! + $0 * capacity * MemoryLayout<Float>.stride
                }
                guard let frame else {
                    return swr_convert(context.pointer, &planes, Int32(capacity), nil, 0)
                }
                return frame.extended_data.withMemoryRebound(
                    to: UnsafePointer<UInt8>?.self, capacity: Int(inputChannels)
                ) { swr_convert(context.pointer, &planes, Int32(capacity), $0, samples) }
            }
        }
        try check(produced, .processing, "resampling failed")
        return (0..<outputChannels).map {
            Array(output[($0 * capacity)..<($0 * capacity + Int(produced))])
        }
    }
}
