extension Grid {
    /// How loud each frame is: the root mean square of its samples.
    ///
    /// - Parameter samples: 16 kHz, 640 a frame; what is left at the end is no frame.
    public static func levels(of samples: [Float]) -> [Float] {
        (0..<samples.count / samplesPerFrame).map { frame in
            let part = samples[frame * samplesPerFrame..<(frame + 1) * samplesPerFrame]
            return (part.reduce(0) { $0 + $1 * $1 } / Float(samplesPerFrame)).squareRoot()
        }
    }
}
