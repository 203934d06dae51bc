import Media
import Runs
import Storage

/// Gathers what is measured of a run's steps, and writes means of it to metrics.jsonl and, for
/// TensorBoard, to an event file.
final class MetricsWriter {
    private let run: RunDirectory
    private let events: EventFile
    private var recent = Recent()

    /// What was measured since the last line of metrics.
    private struct Recent {
        var steps = 0
        var loss = 0.0
        var gradientNorm = 0.0
        var seconds = 0.0
        var waited = 0.0
    }

    /// - Parameter step: where a run goes on.
    init(_ run: RunDirectory, resumingAt step: Int?) throws {
        self.run = run
        events = try EventFile(folder: run.path, resumingAt: step)
    }

    /// Adds one step.
    func add(loss: Double, gradientNorm: Double, seconds: Double, waited: Double) {
        recent.steps += 1
        recent.loss += loss
        recent.gradientNorm += gradientNorm
        recent.seconds += seconds
        recent.waited += waited
    }

    /// Makes a line of the steps that were added, and begins anew.
    func means(step: Int, learningRate: Double) -> MetricsLine {
        let steps = Double(max(1, recent.steps))
        let seconds = max(recent.seconds, 1e-9)
        var line = MetricsLine(step: step)
        line.loss = recent.loss / steps
        line.gradientNorm = recent.gradientNorm / steps
        line.learningRate = learningRate
        line.stepsPerSecond = steps / seconds
        line.waiting = recent.waited / seconds
        recent = Recent()
        return line
    }

    /// Keeps a picture of samples, as samples/STEP.png and for TensorBoard.
    func write(_ canvas: Canvas, step: Int) throws {
        let png = try canvas.png()
        try OutputFile.write(png, to: run.samples(step))
        try events.image(
            "samples", png: [UInt8](png), width: canvas.width, height: canvas.height, step: step)
    }

    func write(_ line: MetricsLine) throws {
        try run.append(line)
        let scalars: [(String, Double?)] = [
            ("loss", line.loss), ("gradient_norm", line.gradientNorm),
            ("learning_rate", line.learningRate), ("steps_per_second", line.stepsPerSecond),
            ("waiting", line.waiting),
        ]
        for case (let tag, let value?) in scalars {
            try events.scalar("train/" + tag, value, step: line.step)
        }
        for (tag, value) in (line.validation ?? [:]).sorted(by: { $0.key < $1.key }) {
            try events.scalar("validation/" + tag, value, step: line.step)
        }
    }
}
