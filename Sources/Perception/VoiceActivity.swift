import Media

/// Tells when somebody speaks, by Silero VAD.
///
/// Reference: silero-vad's `OnnxWrapper` (16 kHz): windows of 512 samples, each with the 64 before
/// it, and a state that goes from window to window.
public final class VoiceActivity {
    private static let window = 512, context = 64
    /// Speech begins above the first probability and ends below the second.
    private static let onset: Float = 0.5, release: Float = 0.35

    private let network: Network
    private let probabilityOutput: Int
    private let stateOutput: Int

    /// - Parameter path: the network's file; nil for the embedded one.
    public init(path: String? = nil) throws {
        network = try Network(
            path: path ?? EmbeddedNetwork.sileroVAD.path,
            inputShapes: [[1, Self.context + Self.window], [2, 1, 128]])
        try network.run()
        probabilityOutput = try network.output(ofCount: 1)
        stateOutput = try network.output(ofCount: 256)
    }

    /// The probability of speech for every 512 samples; the last window is filled up with silence.
    ///
    /// - Parameter samples: 16 kHz mono, -1...1.
    public func probabilities(_ samples: [Float]) throws -> [Float] {
        let (input, state) = (network.inputs[0], network.inputs[1])
        input.update(repeating: 0)
        state.update(repeating: 0)
        var result: [Float] = []
        for start in stride(from: 0, to: samples.count, by: Self.window) {
            for index in 0..<Self.context { input[index] = input[Self.window + index] }
            let count = min(Self.window, samples.count - start)
            for index in 0..<Self.window {
                input[Self.context + index] = index < count ? samples[start + index] : 0
            }
            try network.run()
            result.append(try network.withOutput(probabilityOutput) { $0[0] })
            try network.withOutput(stateOutput) { _ = state.update(fromContentsOf: $0) }
        }
        return result
    }

    /// Whether there is speech at each frame of the 25 fps grid.
    public func isSpeech(_ samples: [Float]) throws -> [Bool] {
        var speaking = false
        let windows = try probabilities(samples).map { probability in
            speaking = speaking ? probability >= Self.release : probability >= Self.onset
            return speaking
        }
        return (0..<(samples.count / Grid.samplesPerFrame)).map { frame in
            let middle = frame * Grid.samplesPerFrame + Grid.samplesPerFrame / 2
            return windows[middle / Self.window]
        }
    }
}
