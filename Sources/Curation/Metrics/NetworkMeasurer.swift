import Errors
import Media
import Perception
import Torch

/// Measures what a network of the user's says of a candidate: one metric, of the name that the user chose. It
/// is none of `Metric.sources`, because it is there as often as the settings say.
final class NetworkMeasurer: PictureWatcher {
    static let metrics: [Metric] = []
    static let version = 1

    private let metric: Metric
    private let settings: NetworkMetricSettings
    private let network: MetricNetwork
    /// The setting that names the file, for messages.
    private let setting: String

    /// What the network said of some frames; of one face where it looks at faces.
    private struct Finding {
        var frames: Range<Int>
        var face: Int?
        var value: Double
    }

    private var findings: [Finding] = []
    /// The pictures of the clip that is being gathered: `[1, 3, side, side]` each.
    private var clip: (start: Int, pictures: [Tensor])?

    /// - Parameter threads: processors; 0 for all.
    /// - Throws: `LoopyError` for a file that is no network.
    init(_ name: String, _ settings: NetworkMetricSettings, threads: Int) throws {
        metric = .network(name, settings.pooling)
        self.settings = settings
        setting = "measure.networks.\(name)"
        network = try MetricNetwork(settings.file, device: "cpu", threads: threads)
    }

    /// Without settings there is no network.
    init?(networks: [String: String]) { return nil }

    func start(after last: VideoFrame?) { (findings, clip) = ([], nil) }

    func see(_ seen: SeenPicture) throws {
        if seen.startsShot { clip = nil }
        guard settings.input != .sound, !seen.faces.isEmpty, seen.isLook(every: settings.step)
        else { return }
        let (frame, index) = (seen.picture.frame, seen.picture.index)
        switch settings.input {
        case .sound: break
        case .face:
            for face in seen.faces where !face.isCoasting {
                let input = values(
                    of: frame, face.landmarks.region.map(size: settings.side),
                    width: settings.side, height: settings.side)
                try add(input, frames: index..<(index + 1), face: face.face)
            }
        case .picture: try add(values(of: frame), frames: index..<(index + 1))
        case .clip:
            // Clips begin at the same frames wherever a source is cut into stretches.
            if index / settings.step % settings.frames == 0 { clip = (index, []) }
            clip?.pictures.append(values(of: frame))
            guard let gathered = clip, gathered.pictures.count == settings.frames else { return }
            clip = nil
            try add(stacked(gathered.pictures, along: 2), frames: gathered.start..<(index + 1))
        }
    }

    func values(of face: TrackedFace) throws -> MetricValues {
        if settings.input == .sound { try hear(face) }
        let own = findings.filter {
            ($0.face == nil || $0.face == face.track.face)
                && face.frames.clamped(to: $0.frames) == $0.frames
        }.map(\.value)
        let value =
            switch settings.pooling {
            case .mean: own.mean
            case .minimum: own.min()
            case .maximum: own.max()
            }
        guard value == nil else { return MetricValues(metric, value) }
        return MetricValues(metric, nil, note: reasonForNothing)
    }

    private var reasonForNothing: String {
        switch settings.input {
        case .face, .picture: "no picture was looked at; set pictures_per_second higher"
        case .clip: "there is no clip of \(settings.frames) pictures"
        case .sound: "there is no sound of \(settings.seconds) s"
        }
    }

    // MARK: Inputs

    /// A whole picture: `[1, 3, H, W]`.
    private func values(of frame: VideoFrame) -> Tensor {
        let width = settings.side == 0 ? frame.width : settings.side
        let height = settings.side == 0 ? frame.height : settings.side
        let map = Affine(
            xx: Double(frame.width) / Double(width), xy: 0, x0: 0,
            yx: 0, yy: Double(frame.height) / Double(height), y0: 0)
        return values(of: frame, map, width: width, height: height)
    }

    /// A region of a picture, normalised: `[1, 3, H, W]`.
    private func values(
        of frame: VideoFrame, _ region: Affine, width: Int, height: Int
    ) -> Tensor {
        let count = width * height * 3
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            frame.sample(region, width: width, height: height, scale: 1 / 255, into: buffer)
            filled = count
        }
        func channels(_ values: [Double]) -> Tensor {
            Tensor(values.map(Float.init), shape: [1, 3, 1, 1])
        }
        let picture = Tensor(values, shape: [1, height, width, 3]).permuted(0, 3, 1, 2)
        return ((picture - channels(settings.mean)) / channels(settings.std)).contiguous()
    }

    /// Hears the sound of a candidate in pieces, which begin at the same frames wherever the source is cut.
    private func hear(_ face: TrackedFace) throws {
        findings = []
        guard let sound = face.sound else { return }
        let length = max(1, Int((settings.seconds * TrackRecorder.framesPerSecond).rounded()))
        let heard = face.frames.clamped(to: sound.start..<(sound.start + sound.isSpeech.count))
        let first = (heard.lowerBound + length - 1) / length * length
        for start in stride(from: first, through: heard.upperBound - length, by: length) {
            let samples = sound.samples(
                of: (start - sound.start)..<(start - sound.start + length))
            guard samples.count == length * Grid.samplesPerFrame else { continue }
            try add(
                Tensor(samples, shape: [1, samples.count]), frames: start..<(start + length))
        }
    }

    private func add(_ input: Tensor, frames: Range<Int>, face: Int? = nil) throws {
        let numbers = try network(input)
        guard settings.output < numbers.count else {
            throw LoopyError(
                .configuration,
                "\(setting).output: there is no number \(settings.output): \(settings.file) gives "
                    + "\(numbers.count) for \(input.shape), counted from 0")
        }
        let value = Double(numbers[settings.output])
        guard value.isFinite else { return }
        findings.append(Finding(frames: frames, face: face, value: value))
    }
}
