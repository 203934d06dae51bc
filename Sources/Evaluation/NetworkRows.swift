import Torch

/// Runs a network on single pictures, or on clips of consecutive pictures, and keeps a row of each.
final class NetworkRows: PictureMeasurement {
    /// What the rows are.
    enum Meaning {
        /// Features, for a Fréchet distance.
        case features
        /// Scores, one number each: the video's own is their mean.
        case scores
    }

    /// The length of the clips that networks of moving pictures see.
    static let clipFrames = 16

    private let name: String
    private let meaning: Meaning
    private let clipLength: Int
    private let step: Int
    private let prepare: (Tensor) -> Tensor
    private let run: ([Tensor]) throws -> [Float]
    private var clip: [Tensor] = []
    private var rows = FeatureRows()

    /// - Parameters:
    ///   - name: the metric's, under which features or scores stand.
    ///   - clipLength: the pictures that the network sees at a time.
    ///   - step: every so many-th picture is looked at.
    ///   - prepare: makes what the network sees of a picture, uint8 `[3, H, W]`.
    ///   - run: calls the network with `clipLength` prepared pictures.
    init(
        _ name: String, _ meaning: Meaning, clipLength: Int = 1, step: Int = 1,
        prepare: @escaping (Tensor) -> Tensor, run: @escaping ([Tensor]) throws -> [Float]
    ) {
        self.name = name
        self.meaning = meaning
        self.clipLength = clipLength
        self.step = step
        self.prepare = prepare
        self.run = run
    }

    func see(_ picture: Tensor, index: Int) throws {
        guard index % step == 0 else { return }
        clip.append(prepare(picture))
        guard clip.count == clipLength else { return }
        rows.append(try run(clip))
        clip.removeAll()
    }

    func findings(frames: Int) -> MetricFindings {
        var findings = MetricFindings()
        if rows.count == 0, frames < clipLength {
            findings.absent[name] = "has \(frames) frames, and a clip needs \(clipLength)"
            return findings
        }
        let used = rows.count * clipLength
        switch meaning {
        case .features: findings.set(name, features: rows, frames: used)
        case .scores: findings.set(name, mean: rows.firstValues, frames: used)
        }
        return findings
    }
}
