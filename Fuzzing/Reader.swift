import ArgumentParser
import Curation
import Dataset
import Foundation
import Media
import Settings
import Storage
import Weights

/// Something in Loopy that reads files of a kind.
struct Reader: Sendable {
    let name: String
    /// The files that are damaged for it, in the package: folders of fixtures, or files. Kinds without
    /// any are made by `Corpus`.
    let fixtures: [String]
    /// The endings of those files.
    let suffixes: [String]
    /// Reads a file as far as it goes.
    let read: @Sendable (String) throws -> Void

    /// Readers by name, all of them for nil.
    static func named(_ names: String?) throws -> [Reader] {
        guard let names else { return all }
        return try names.split(separator: ",").map { name in
            guard let reader = all.first(where: { $0.name == name }) else {
                let known = all.map(\.name).joined(separator: ", ")
                throw ValidationError("there is no reader '\(name)'; known are \(known)")
            }
            return reader
        }
    }

    static let all = [
        Reader(name: "media", fixtures: [], suffixes: [], read: readMedia),
        Reader(name: "tar", fixtures: [], suffixes: []) { path in
            let archive = try TarReader(path)
            for member in archive.members { _ = try archive.read(member.name) }
        },
        Reader(name: "npy", fixtures: ["Tests"], suffixes: [".npy"]) { path in
            _ = try NumPyArray(decoding: bytes(path), name: path)
        },
        Reader(
            name: "weights", fixtures: ["Tests"],
            suffixes: [".safetensors", ".pt", ".pkl", ".bin", ".ckpt", ".model"], read: readWeights),
        Reader(name: "jsonl", fixtures: [], suffixes: []) { path in
            if path.contains("sources") {
                _ = try JSONLines.read(Source.self, from: path)
            } else {
                _ = try JSONLines.read(Decision.self, from: path)
            }
        },
        Reader(name: "settings", fixtures: ["Pipelines"], suffixes: [".yaml"]) { path in
            _ = try Configuration.stages(of: path)
            _ = try Configuration.read(IngestSettings(), section: ["ingest"], file: path)
            _ = try Configuration.read(MeasureSettings(), section: ["measure"], file: path)
            _ = try Configuration.read(SelectSettings(), section: ["select"], file: path)
            _ = try Configuration.read(CropSettings(), section: ["crop"], file: path)
        },
        Reader(name: "models", fixtures: ["Manifests"], suffixes: [".yaml"]) { path in
            for entry in try ModelManifest(path).entries { _ = entry.files.count }
        },
        Reader(name: "hdtf", fixtures: [], suffixes: []) { path in
            try use(HDTF.annotations(texts(path)))
        },
        Reader(name: "celebv-hq", fixtures: [], suffixes: []) { path in
            try use(CelebVHQ.annotations(Data(bytes(path)), file: path))
        },
        Reader(name: "ravdess", fixtures: [], suffixes: []) { path in
            let names = String(decoding: try bytes(path), as: UTF8.self)
                .split(separator: "\n").map(String.init)
            use(RAVDESS.annotations(videos: names, others: names))
        },
    ]

    private static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Decodes what a dataset would: the probe, every picture on the grid, and the sound.
    private static func readMedia(_ path: String) throws {
        let probe = try MediaProbe(path: path)
        let reader = try VideoReader(path: path, clock: probe.video.clock, threads: 1)
        var frames = 0
        while frames < 500, try reader.next() != nil { frames += 1 }
        guard probe.audio != nil else { return }
        _ = try AudioReader.read(
            path: path, start: probe.video.clock.startSeconds,
            count: min(probe.video.gridFrames, 500) * Grid.samplesPerFrame)
    }

    private static func readWeights(_ path: String) throws {
        let checkpoint = try Checkpoint(path)
        for name in checkpoint.names {
            guard let tensor = checkpoint.tensor(name) else { continue }
            // A view may repeat one value many times: what is too large for a copy is not copied.
            let count = tensor.shape.reduce(1.0) { $0 * Double($1) }
            guard count < 1e7 else { continue }
            var copy = [UInt8](repeating: 0, count: tensor.count * tensor.type.size)
            copy.withUnsafeMutableBytes { tensor.copy(to: $0) }
        }
    }

    /// The four texts of HDTF's subset WDA, which stand in one file one after the other.
    private static func texts(_ path: String) throws -> [String: String] {
        let parts = String(decoding: try bytes(path), as: UTF8.self)
            .components(separatedBy: "\n----\n")
        let kinds = ["video_url", "annotion_time", "crop_wh", "resolution"]
        return Dictionary(
            uniqueKeysWithValues: kinds.enumerated().map { index, kind in
                ("WDA_\(kind).txt", index < parts.count ? parts[index] : "")
            })
    }

    /// Does what an import does with annotations: boxes are placed in pictures.
    private static func use(_ annotations: Annotations) {
        let files = annotations.videos.flatMap(\.fileNames).map { "/videos/\($0).mp4" }
        _ = AnnotationMatch(annotations.videos, files: files)
        for span in annotations.videos.flatMap(\.spans) {
            for (width, height) in [(1280, 720), (1, 1)] {
                _ = span.box?.placed(width: width, height: height)
            }
        }
    }
}
