import Dataset
import Foundation
import Storage
import Testing

/// `measure.networks`: a network of the user's, from the pipeline file to the decision.
@Suite struct NetworkMetricTests {
    private static let network = Workbench.package + "/Tests/EvaluationTests/Fixtures/score.pt"

    @Test func aNetworkOfTheUsersIsMeasuredAndLimited() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline { text in
            text.replacing(
                "measure: { unit_seconds: 3 }",
                with: "measure: { unit_seconds: 3, networks: { quality: "
                    + "{ file: \(Self.network), side: 32 } } }"
            ).replacing("rules:\n", with: "rules:\n    quality: { maximum: 0.99 }\n")
                .replacing(
                    "extract: { keypoints: , motion: , speech: }",
                    with: "extract: { keypoints: , motion: }")
        }
        let dataset = bench.dataset("d")
        let arguments = [
            "run", pipeline, "--input", bench.videos, "--dataset", dataset,
        ]
        func loopy(_ more: String...) throws -> Workbench.Result {
            try Workbench.run(Workbench.executables + "/loopy", arguments + more)
        }
        let typo = try loopy("--set", "select.rules.qualty.maximum=1")
        #expect(typo.status == 64)
        #expect(typo.errors.contains("did you mean 'quality'?"), "\(typo.errors)")

        let run = try loopy()
        #expect(run.status == 0, "\(run.errors)")
        let accepted = try #require(DatasetDirectory(dataset).selection().first)
        let value = try #require(accepted.metrics?["quality"])
        #expect((0.1...0.9).contains(value))

        // Changed in a second: nothing is measured again.
        let before = try Workbench.times(dataset).filter { $0.key.hasPrefix("measurements") }
        let stricter = try loopy("--set", "select.rules.quality.maximum=0.01")
        #expect(stricter.status == 0, "\(stricter.errors)")
        #expect(try Workbench.times(dataset).filter { $0.key.hasPrefix("measurements") } == before)
        let rejected = try #require(DatasetDirectory(dataset).selection().first)
        #expect(rejected.rule == "quality" && rejected.value == value && rejected.limit == 0.01)

        // The stage alone knows the dataset's metrics, and no others.
        let alone = try Workbench.run(
            Workbench.executables + "/loopy-select",
            ["--dataset", dataset, "--set", "select.rules.quality.minimum=0.05"])
        #expect(alone.status == 0, "\(alone.errors)")
        let unknown = try Workbench.run(
            Workbench.executables + "/loopy-select",
            ["--dataset", dataset, "--set", "select.rules.aesthetics.minimum=0.05"])
        #expect(unknown.status == 64)
        #expect(unknown.errors.contains("unknown setting 'aesthetics'"), "\(unknown.errors)")
    }

    @Test func aNetworkThatIsNotThereIsNamedBeforeAnythingIsDone() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let run = try bench.loopy(
            "run", bench.pipeline(), "--input", bench.videos, "--dataset", bench.dataset("d"),
            "--set", "measure.networks.quality.file=\(bench.folder)/none.onnx")
        #expect(run.status != 0)
        #expect(
            run.errors.contains("measure.networks.quality.file: \(bench.folder)/none.onnx"),
            "\(run.errors)")
    }
}
