import Dataset
import Foundation
import Storage
import Testing

/// Key points by DWPose, with small random networks: PerceptionTests/Fixtures/make_dwpose.py.
@Suite(.serialized)
struct DWPoseTests {
    private static let networks =
        Workbench.package + "/Tests/PerceptionTests/Fixtures/dwpose"

    private struct Reference: Decodable {
        let file: String
        let frame: Int
        let boxes: [[Double]]
        let points: [[[Double]]]
        let clear: [[Bool]]
    }

    /// Settings that choose DWPose in a section.
    private func choice(_ section: String, type: String = "onnx") -> [String] {
        [
            "landmarks=dwpose", "dwpose.detector=\(Self.networks)/detector.\(type)",
            "dwpose.pose=\(Self.networks)/pose.\(type)",
        ].flatMap { ["--set", "\(section).\($0)"] }
    }

    /// rtmlib's points of the pictures 0 and 30 of a video are among those of the whole video.
    @Test(arguments: ["onnx", "pt"])
    func oneFilesPointsAreThoseOfRtmlib(type: String) throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let output = bench.folder + "/k.npy"
        let run = try Workbench.run(
            Workbench.executables + "/loopy",
            [
                "extract", "keypoints", "--input", Workbench.samples + "/single_face.mp4",
                "--output", output,
            ] + choice("extract.keypoints", type: type))
        #expect(run.status == 0, "\(run.errors)")
        let found = try NumPyArray(decoding: Workbench.bytes(output), name: "k.npy")
        #expect(Array(found.shape.dropFirst()) == [68, 3])
        #expect(found.shape[0] == 60)

        let references = try JSONDecoder().decode(
            [Reference].self, from: Data(Workbench.bytes(Self.networks + "/rtmlib.json")))
        for reference in references where reference.file == "single_face.mp4" {
            let start = reference.frame * 68 * 3
            let frame = Array(found.values[start..<(start + 68 * 3)])
            let matches = reference.boxes.indices.filter { person in
                let box = reference.boxes[person]
                let bin = max(box[2] - box[0], (box[3] - box[1]) * 0.75) * 1.25 / 576
                return (0..<68).filter { reference.clear[person][$0] }.allSatisfy { index in
                    let point = reference.points[person][index]
                    return abs(Double(frame[index * 3]) - point[0]) < bin / 2
                        && abs(Double(frame[index * 3 + 1]) - point[1]) < bin / 2
                }
            }
            #expect(matches.count == 1)
        }
    }

    @Test func oneLineRecomputesWhatDependsOnItAndNothingElse() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let dataset = bench.dataset("d")
        let files =
            "detector: \(Self.networks)/detector.onnx, pose: \(Self.networks)/pose.onnx"
        /// Runs the pipeline with a choice in its two places, and says what was written anew.
        func run(measure: String, keypoints: String) throws -> Set<String> {
            let pipeline = try bench.pipeline {
                $0.replacingOccurrences(
                    of: "measure: { unit_seconds: 3 }",
                    with:
                        "measure: { unit_seconds: 3, landmarks: \(measure), dwpose: { \(files) } }"
                ).replacingOccurrences(
                    of: "keypoints: ,",
                    with: "keypoints: { landmarks: \(keypoints), dwpose: { \(files) } },")
            }
            let before =
                FileManager.default.fileExists(atPath: dataset)
                ? try Workbench.times(dataset) : [:]
            let run = try bench.loopy(
                "run", pipeline, "--input", bench.videos, "--dataset", dataset)
            #expect(run.status == 0, "\(run.errors)")
            let changed = try Workbench.times(dataset).filter { before[$0.key] != $0.value }
            return Set(
                changed.keys.filter { $0.contains("/") }.map { path in
                    let folder = path.split(separator: "/").prefix(
                        path.hasPrefix("columns") ? 2 : 1)
                    return String(folder.last?.prefix { $0 != "-" } ?? "")
                })
        }
        let all: Set = [
            "measurements", "video", "audio", "keypoints", "motion", "speech", "shards",
        ]
        #expect(try run(measure: "embedded", keypoints: "embedded") == all)
        let faceMesh = try #require(
            Catalogue.read(DatasetDirectory(dataset)).columns["keypoints"])
        #expect(faceMesh.settings["landmarks"]?.string == "embedded")

        #expect(
            try run(measure: "embedded", keypoints: "dwpose") == ["keypoints", "motion", "shards"])
        let column = try #require(Catalogue.read(DatasetDirectory(dataset)).columns["keypoints"])
        #expect(column.settings["landmarks"]?.string == "dwpose")
        #expect(
            column.networks == [
                "detector": try Digest.ofFile(Self.networks + "/detector.onnx"),
                "pose": try Digest.ofFile(Self.networks + "/pose.onnx"),
            ])
        #expect(try bench.loopy("verify", dataset).status == 0)

        // Faces are followed as before: the clips are the same, what is said of them is not.
        #expect(
            try run(measure: "dwpose", keypoints: "dwpose") == ["measurements", "shards"])
        let measured = try #require(Catalogue.read(DatasetDirectory(dataset)).measurements)
        #expect(measured.networks["pose"] == column.networks["pose"])
        #expect(measured.networks["person_detector"] == column.networks["detector"])
        #expect(try bench.loopy("verify", dataset).status == 0)

        // And back again: what was computed once is not computed again.
        #expect(
            try run(measure: "embedded", keypoints: "dwpose").isSubset(of: [
                "measurements", "shards",
            ]))
    }

    @Test func aMissingNetworkIsSaid() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.write(
            """
            dwpose:
              url: https://huggingface.co/yzd-v/DWPose
              files: [yolox_l.onnx, dw-ll_ucoco_384.onnx]
              licence: Apache-2.0
              used_by: [extract.keypoints.landmarks]
              stand_in: the embedded FaceMesh
            """, to: "models.yaml")
        func extract(_ settings: [String]) throws -> Workbench.Result {
            try Workbench.run(
                "/usr/bin/env",
                [
                    "LOOPY_MODELS=\(bench.folder)/models.yaml",
                    Workbench.executables + "/loopy", "extract", "keypoints", "--input",
                    Workbench.samples + "/single_face.mp4", "--output", bench.folder + "/k.npy",
                ] + settings)
        }
        let choice = ["--set", "extract.keypoints.landmarks=dwpose"]
        let neither = try extract(choice)
        #expect(neither.status == 64)
        for part in [
            "extract.keypoints.landmarks: dwpose needs networks (detector, pose)",
            "Models/dwpose lacks",
            "yolox_l.onnx and dw-ll_ucoco_384.onnx", "`loopy models`",
        ] {
            #expect(neither.errors.contains(part), "\(neither.errors)")
        }
        let cuda = try extract(
            choice + self.choice("extract.keypoints")
                + ["--set", "extract.keypoints.dwpose.device=cuda:77"])
        #expect(cuda.status == 64)
        #expect(cuda.errors.contains("cuda:77"))
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/k.npy"))

        // Once the files are there, the line alone is enough.
        try FileManager.default.createDirectory(
            atPath: bench.folder + "/Models/dwpose", withIntermediateDirectories: true)
        for (name, file) in [("detector", "yolox_l"), ("pose", "dw-ll_ucoco_384")] {
            try FileManager.default.copyItem(
                atPath: "\(Self.networks)/\(name).onnx",
                toPath: "\(bench.folder)/Models/dwpose/\(file).onnx")
        }
        let found = try extract(choice)
        #expect(found.status == 0, "\(found.errors)")
        #expect(FileManager.default.fileExists(atPath: bench.folder + "/k.npy"))
    }
}
