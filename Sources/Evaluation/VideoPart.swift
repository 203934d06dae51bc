import Foundation
import Storage

/// What was measured of one video, or of a pair: kept in a file, so that a run that ended early goes on.
struct VideoPart: Codable {
    struct Value: Codable {
        var value: Double
        /// The frames that it was measured on.
        var frames: Int
    }

    /// The length on the 25 fps grid.
    var frames = 0
    /// One number a video, by figure.
    var values: [String: Value] = [:]
    /// The frames behind the features, by metric; the features are in a file of their own.
    var features: [String: Int] = [:]
    /// Why the video has none, by figure or metric.
    var absent: [String: String] = [:]
}

/// The folder of parts beside a run's output.
struct PartStore {
    let folder: String

    /// - Parameter output: the run's JSON file.
    init(besides output: String) {
        folder = (output as NSString).deletingPathExtension + ".parts"
    }

    private func path(_ name: String, _ suffix: String) -> String {
        folder + "/" + name + suffix
    }

    /// Returns nil where there is none, or one that cannot be read: it is made again.
    func part(_ name: String) -> VideoPart? {
        guard let part = try? JSONLines.readDocument(VideoPart.self, from: path(name, ".json")),
            part.features.keys.allSatisfy({
                FileManager.default.isReadableFile(atPath: path(name, ".\($0).npy"))
            })
        else { return nil }
        return part
    }

    /// Writes the part's own file last: where it is, all of it is.
    ///
    /// - Parameter features: `[N, C]`, by metric.
    func write(_ part: VideoPart, features: [String: NumPyArray], as name: String) throws {
        for (metric, array) in features.sorted(by: { $0.key < $1.key }) {
            try OutputFile.write(array.encoded(), to: path(name, ".\(metric).npy"))
        }
        try JSONLines.writeDocument(part, to: path(name, ".json"))
    }

    /// Features of one video, `[N, C]`.
    func features(_ name: String, _ metric: String) throws -> NumPyArray {
        let file = path(name, ".\(metric).npy")
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        return try NumPyArray(decoding: [UInt8](data), name: file)
    }

    /// Removes the parts of other videos, settings and networks than these.
    func keepOnly(_ names: Set<String>) {
        OutputFile.removeAbandoned(in: folder)
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for file in files where file.hasSuffix(".json") || file.hasSuffix(".npy") {
            let name = file.prefix { $0 != "." }
            if !names.contains(String(name)) {
                try? FileManager.default.removeItem(atPath: folder + "/" + file)
            }
        }
    }
}
