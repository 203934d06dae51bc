import Curation
import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct MetricTests {
    @Test func everyMetricSaysWhatItIs() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            #expect(metric.name.allSatisfy { $0.isLowercase || $0 == "_" }, "\(metric.name)")
            #expect(metric.meaning.hasSuffix(".") && metric.meaning.first?.isUppercase == true)
        }
    }

    /// The first rule that is broken is the reason given, so their order is what users see.
    @Test func rulesHaveTheirOrder() {
        #expect(
            Rules().applied.map(\.metric.name) == [
                "duration", "damaged", "face_width", "face_height", "presence", "other_faces",
                "completeness", "movement", "movement_maximum", "rotation", "sharpness",
                "brightness", "sound",
                "speech", "mouth_in_speech", "speaker", "sync_confidence", "sync_offset",
            ])
    }

    @Test func thePageOfMetricsIsWhatTheySay() throws {
        let rows = Metric.all.map { metric in
            let limits = [
                metric.limits.minimum.map { "≥ \($0.formatted())" },
                metric.limits.maximum.map { "≤ \($0.formatted())" },
            ].compactMap(\.self).joined(separator: ", ")
            return "| `\(metric.name)` | \(metric.unit) | \(limits) | "
                + metric.meaning.replacingOccurrences(of: "|", with: "\\|") + " |"
        }
        let page = try String(
            contentsOfFile: Place.package + "/docs/metrics.md", encoding: .utf8)
        let table = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
        let wanted = rows.joined(separator: "\n")
        #expect(table == rows, "docs/metrics.md should have these rows:\n\(wanted)")
    }

    /// Datasets of other versions have other metrics.
    @Test func valuesOfUnknownMetricsAreKept() throws {
        let text = #"{"duration":4.5,"of_the_past":2.25,"speech":null}"#
        let metrics = try JSONDecoder().decode(Metrics.self, from: Data(text.utf8))
        #expect(metrics[.duration] == 4.5)
        #expect(metrics["of_the_past"] == 2.25)
        #expect(metrics[.speech] == nil && metrics[.rotation] == nil)
        #expect(String(decoding: try JSONLines.line(metrics), as: UTF8.self) == text + "\n")
        var changed = metrics
        changed[.rotation] = 0.5
        #expect(changed[.rotation] == 0.5 && changed[.duration] == 4.5)
        #expect(changed != metrics)
    }

    @Test func theOrderOfNamesDoesNotMatter() {
        var a = Metrics(names: ["x", "y"]), b = Metrics(names: ["y", "x"])
        (a["x"], b["x"]) = (1, 1)
        #expect(a == b)
        b["y"] = 2
        #expect(a != b)
        #expect(a != Metrics(names: ["x", "z"]))
    }
}
