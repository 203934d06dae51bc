import Dataset
import Foundation
import Perception
import Storage

/// What the page shows, as its script reads it.
struct Facts: Encodable {
    struct Candidate: Encodable {
        var file: String
        var start: Double
        var end: Double
        var verdict: Decision.Verdict
        var rule: String?
        var value: Double?
        var limit: Double?
        var split: Decision.Split?
        var sync: Sync?

        init(_ decision: Decision) {
            file = (decision.path as NSString).lastPathComponent
            (start, end, verdict) = (decision.start, decision.end, decision.decision)
            (rule, value, limit) = (decision.rule, decision.value, decision.limit)
            split = decision.split
            sync = decision.syncCurve.map { Sync(MouthSyncScore(curve: $0, seconds: 0)) }
        }
    }

    /// How well a candidate's sound fits its lips.
    struct Sync: Encodable {
        var offset: Double
        var confidence: Double
        var curve: [Double]

        init(_ score: MouthSyncScore) {
            offset = (score.offset * 10).rounded() / 10
            confidence = (score.confidence * 1000).rounded() / 1000
            curve = score.curve
        }
    }

    struct Metrics: Codable, Sendable {
        var step: Int
        var loss: Double?
        var validation: [String: Double]?
    }

    struct Run: Encodable {
        var name: String
        var model: String
        var stage: String
        var metrics: [Metrics]
    }

    struct Video: Encodable {
        var video: String
        /// The picture in its middle.
        var poster: String?
        var portrait: String
        /// `OUT.json` as it is.
        var record: String
        var curves: VideoCurves
    }

    /// A figure of `loopy-evaluate`.
    struct Figure: Codable {
        var value: Double?
        var clips: Int
        var frames: Int
        var protocolName: String

        private enum CodingKeys: String, CodingKey {
            case value, clips, frames
            case protocolName = "protocol"
        }
    }

    var dataset: String
    var counts: Catalogue.Counts
    var funnel: [Funnel.Bar]
    var rulesNotApplied: [String]
    var columns: [String: JSONValue]
    var decisions: [Candidate]
    var clips: [PlayedClip] = []
    var sheets: [String] = []
    var runs: [Run] = []
    var videos: [Video] = []
    /// The figures of reports, by name.
    var figures: [[String: Figure]] = []
    /// Who works on the dataset, a line each.
    var work: [String] = []
}
