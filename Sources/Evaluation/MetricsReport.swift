import Dataset
import Foundation

/// What `loopy-evaluate` found of a folder of videos.
public struct MetricsReport: Encodable, Sendable {
    /// One metric over all videos.
    public struct Figure: Encodable, Sendable {
        /// Nil where it could not be measured, for the reason.
        public var value: Double?
        public var reason: String?
        /// How it was measured: values of different protocols cannot be compared.
        public var protocolName: String
        /// The network's file name and digest.
        public var network: String?
        public var digest: String?
        /// Generated videos that it was measured on, and frames of theirs.
        public var clips = 0
        public var frames = 0
        /// The same of the references.
        public var referenceClips: Int?
        public var referenceFrames: Int?

        private enum CodingKeys: String, CodingKey {
            case value, reason, network, digest, clips, frames
            case protocolName = "protocol"
            case referenceClips = "reference_clips"
            case referenceFrames = "reference_frames"
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            // A value that is not there is null, and never left out.
            try container.encode(value, forKey: .value)
            try container.encodeIfPresent(reason, forKey: .reason)
            try container.encode(protocolName, forKey: .protocolName)
            try container.encodeIfPresent(network, forKey: .network)
            try container.encodeIfPresent(digest, forKey: .digest)
            try container.encode(clips, forKey: .clips)
            try container.encode(frames, forKey: .frames)
            try container.encodeIfPresent(referenceClips, forKey: .referenceClips)
            try container.encodeIfPresent(referenceFrames, forKey: .referenceFrames)
        }
    }

    /// One video's values.
    public struct Clip: Encodable, Sendable {
        public struct Value: Encodable, Sendable {
            public var value: Double
            public var frames: Int
        }

        /// Path in its folder.
        public var video: String
        /// SHA-256 of its bytes.
        public var digest: String
        public var frames: Int
        public var values: [String: Value]
        /// Why there is no value, by metric.
        public var absent: [String: String]
    }

    /// By name.
    public var metrics: [String: Figure] = [:]
    public var generated: [Clip] = []
    public var reference: [Clip] = []
    public var failures: [Failure] = []

    /// A line a metric, in columns.
    public var table: String {
        var rows = [["metric", "value", "clips", "frames", "network"]]
        for metric in MetricName.allCases {
            guard let figure = metrics[metric.rawValue] else { continue }
            let value = figure.value.map { String(format: "%.6g", $0) } ?? "-"
            let source = figure.network.map { "\($0) \((figure.digest ?? "").prefix(8))" }
            rows.append([
                metric.rawValue, value, "\(figure.clips)", "\(figure.frames)",
                figure.reason ?? source ?? "built in",
            ])
        }
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column < 4
                    ? cell.padding(toLength: widths[column], withPad: " ", startingAt: 0) : cell
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

/// The metrics, in the table's order.
enum MetricName: String, CaseIterable {
    case fid, fvd, efid
    case syncC = "sync_c"
    case syncD = "sync_d"
    case iqa, smoothness, glo, exp
    case gloStabilised = "glo_stabilised"
    case expStabilised = "exp_stabilised"
    case dglo, dexp, psnr, ssim

    /// The network's role in the settings; nil for what is built in.
    var role: String? {
        switch self {
        case .fid, .fvd, .efid, .iqa, .smoothness: rawValue
        case .syncC, .syncD: "sync"
        case .glo, .exp, .gloStabilised, .expStabilised, .dglo, .dexp, .psnr, .ssim: nil
        }
    }

    var needsReference: Bool {
        switch self {
        case .fid, .fvd, .efid, .dglo, .dexp, .psnr, .ssim: true
        case .syncC, .syncD, .iqa, .smoothness, .glo, .exp, .gloStabilised, .expStabilised: false
        }
    }

    /// How it is measured.
    ///
    /// - Parameter network: nil where it is not here.
    func protocolName(_ settings: MetricsSettings, _ network: MetricNetwork?) -> String {
        let step =
            settings.pictureStep == 1 ? "every frame" : "one frame of \(settings.pictureStep)"
        let distance = "Fréchet distance, covariances divided by n - 1"
        switch self {
        case .fid:
            let input =
                network?.returnsFeatures == true
                ? "8-bit RGB at its own size, resized by the network (return_features=True)"
                : "RGB 0...1, bilinear to 299x299"
            return "\(step) at 25 fps, \(input); \(distance)"
        case .fvd:
            let call =
                network?.returnsFeatures == true
                ? " (rescale=False, resize=False, return_features=True)" : ""
            return
                "consecutive clips of \(VideoMeasurer.clipFrames) frames at 25 fps, shorter side "
                + "bilinear to 224, middle 224x224, RGB -1...1\(call); \(distance)"
        case .efid:
            return "\(step) at 25 fps, upright square of \(VideoMeasurer.faceScale) times the "
                + "face's box, bilinear to \(settings.efidSide)x\(settings.efidSide), RGB 0...1; "
                + distance
        case .syncC: return "SyncNet's confidence, face-crop, zeros beyond the sound; mean of clips"
        case .syncD: return "SyncNet's distance, face-crop, zeros beyond the sound; mean of clips"
        case .iqa:
            let size =
                settings.iqaSide == 0
                ? "at its own size" : "bilinear to \(settings.iqaSide)x\(settings.iqaSide)"
            return "\(step) at 25 fps, RGB 0...1 \(size); mean of frames, then of clips"
        case .smoothness:
            let side = settings.smoothnessSide
            return "consecutive clips of \(VideoMeasurer.clipFrames) frames at 25 fps, bilinear to "
                + "\(side)x\(side), RGB 0...1; mean of clips, then of videos"
        case .glo: return "variance of the nose tip, camera motion included; " + Self.windows
        case .exp: return "variance of 37 upper points about the nose tip; " + Self.windows
        case .gloStabilised: return "as glo; " + Self.stabilised
        case .expStabilised: return "as exp; " + Self.stabilised
        case .dglo: return "|glo of the clip - glo of its reference|; mean of clips"
        case .dexp: return "|exp of the clip - exp of its reference|; mean of clips"
        case .psnr:
            return "8-bit RGB at 25 fps, at most \(Int(PictureComparison.highestPSNR)) dB a frame; "
                + "mean of frames, then of clips"
        case .ssim:
            return "8-bit RGB at 25 fps, Gaussian window of 11 pixels (1.5), mean of colours; mean "
                + "of frames, then of clips"
        }
    }

    private static let windows =
        "windows of 12 frames at 25 fps; over the side of a square picture, of the planned crop "
        + "otherwise; mean of windows, then of clips"
    private static let stabilised =
        "less the similarity motion of the background (phase correlation and Lucas-Kanade), over "
        + "the windows that show it"
}
