import Dataset
import Foundation

/// What `loopy-evaluate` found of a folder of videos.
public struct MetricsReport: Encodable, Sendable {
    /// One figure over all videos.
    public struct Figure: Encodable, Sendable {
        public var name: String
        /// Nil where it could not be measured, for the reason.
        public var value: Double?
        public var reason: String?
        /// How it was measured: values of different protocols cannot be compared.
        public var protocolName: String
        /// The network's file name and digest.
        public var network: String?
        public var digest: String?
        /// The generated videos that it was measured on, and their frames.
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

        /// The path in its folder.
        public var video: String
        /// SHA-256 of the video's bytes.
        public var digest: String
        public var frames: Int
        /// The values by figure.
        public var values: [String: Value]
        /// Why there is no value, by figure.
        public var absent: [String: String]
    }

    /// The figures in the order of the metrics.
    public var figures: [Figure] = []
    public var generated: [Clip] = []
    public var reference: [Clip] = []
    public var failures: [Failure] = []

    private enum CodingKeys: CodingKey { case metrics, generated, reference, failures }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(
            Dictionary(uniqueKeysWithValues: figures.map { ($0.name, $0) }), forKey: .metrics)
        try container.encode(generated, forKey: .generated)
        try container.encode(reference, forKey: .reference)
        try container.encode(failures, forKey: .failures)
    }

    /// A line a figure, in columns.
    public var table: String {
        var rows = [["metric", "value", "clips", "frames", "network"]]
        for figure in figures {
            let value = figure.value.map { String(format: "%.6g", $0) } ?? "-"
            let source = figure.network.map { "\($0) \((figure.digest ?? "").prefix(8))" }
            rows.append([
                figure.name, value, "\(figure.clips)", "\(figure.frames)",
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
