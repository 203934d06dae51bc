import Foundation
import Storage

/// Training runs as the page shows them, looked for and read anew whenever it asks: they may be training.
struct RunResources: Sendable {
    private let named: [String]
    private let parent: String

    /// - Parameters:
    ///   - named: folders of runs.
    ///   - parent: a folder in which all others are.
    init(_ named: [String], in parent: String) { (self.named, self.parent) = (named, parent) }

    private var folders: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        let known = Set(named.map(Self.standard))
        return named
            + names.sorted().map { parent + "/" + $0 }.filter {
                FileManager.default.fileExists(atPath: $0 + "/run.json")
                    && !known.contains(Self.standard($0))
            }
    }

    private static func standard(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    struct Run: Encodable {
        var name: String
        var model: String
        var stage: String
        var metrics: [JSONValue]
        var samples: [Sample]
    }

    /// A picture of held-out windows as the model made them.
    struct Sample: Encodable {
        var step: Int
        /// The resource's name.
        var picture: String
    }

    /// - Throws: `LoopyError` when a folder that was named holds no run.
    func description() throws -> [Run] {
        struct Description: Decodable {
            struct Settings: Decodable {
                struct Model: Decodable { var stage: String }
                var preset: String
                var model: Model
            }
            var settings: Settings
        }
        return try folders.enumerated().compactMap { index, folder -> Run? in
            let document = Result {
                try JSONLines.readDocument(Description.self, from: folder + "/run.json")
            }
            // What is only found may be somebody else's, or of another version.
            guard
                let settings = index < named.count
                    ? try document.get().settings : try? document.get().settings
            else { return nil }
            let files = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/samples"))
            let steps = (files ?? []).filter { $0.hasSuffix(".png") }
                .compactMap { Int($0.dropLast(4)) }.sorted()
            let metrics = folder + "/metrics.jsonl"
            // The last line may be half written, or was cut short when the power went.
            let lines = (try? JSONLines.lines(of: metrics)) ?? []
            return Run(
                name: (folder as NSString).lastPathComponent, model: settings.preset,
                stage: settings.model.stage,
                metrics: lines.compactMap { try? JSONDecoder().decode(JSONValue.self, from: $0) },
                samples: steps.map { Sample(step: $0, picture: "runs/\(index)/\($0).png") })
        }
    }

    /// - Parameter file: "STEP.png".
    func picture(run: String, _ file: String) -> Resource? {
        let folders = folders
        guard let run = Int(run), folders.indices.contains(run), file.hasSuffix(".png"),
            let step = Int(file.dropLast(4))
        else { return nil }
        let folder = folders[run] + "/samples"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let name = files.first { $0.hasSuffix(".png") && Int($0.dropLast(4)) == step }
        return name.flatMap { Resource.file(folder + "/" + $0, type: .png) }
    }
}
