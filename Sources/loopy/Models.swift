import ArgumentParser
import Errors
import Foundation
import Settings
import StageCommand
import Storage
import Weights

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the networks that can be used, and fetch them.",
        subcommands: [ListModels.self, FetchModels.self], defaultSubcommand: ListModels.self)
}

struct ListModels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the networks that can be used: which are there, and what stands in.",
        discussion: """
            They are those of Manifests/models.yaml, or of the file that LOOPY_MODELS names. Exit \
            status 1 says that one of them is there in part, or is something else than weights.
            """)

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        try reporting {
            let manifest = try ModelManifest.locate()
            let reports = try manifest.entries.map {
                try ModelReport($0, in: manifest) { WeightFile.problem($0) }
            }
            if json {
                let document = try JSONLines.document(reports)
                print(String(decoding: document, as: UTF8.self), terminator: "")
            } else {
                print(ModelTable(manifest, reports).text)
            }
            if reports.contains(where: { [.incomplete, .wrong].contains($0.state) }) {
                throw StageExit.someFailed
            }
        }
    }
}

/// A line a network; below it its files, and what is done without those that are missing.
struct ModelTable {
    let text: String

    init(_ manifest: ModelManifest, _ reports: [ModelReport]) {
        var rows = [["network", "state", "licence", "used by", "path"]]
        for report in reports {
            rows.append([
                report.name, report.state.rawValue, report.licence,
                report.usedBy.joined(separator: ", "),
                Self.shortened(report.path, manifest.folder),
            ])
        }
        var lines = Self.aligned(rows)
        // From the last, so that the line numbers of the others stay.
        for (index, report) in reports.enumerated().reversed() {
            lines.insert(contentsOf: Self.details(report), at: index + 2)
        }
        text = lines.joined(separator: "\n")
    }

    private static func details(_ report: ModelReport) -> [String] {
        let files = report.files.map { file in
            [
                "    " + file.name, size(file.bytes), String(file.sha256.prefix(12)),
                file.problem ?? "",
            ]
        }
        guard !report.missing.isEmpty else { return aligned(files) }
        let names = report.missing.joined(separator: ", ")
        return aligned(files) + [
            "    lacks \(names): \(report.url)", "    instead: \(report.standIn)",
        ]
    }

    private static func shortened(_ path: String, _ folder: String) -> String {
        path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            let cells = zip(row, widths).map {
                $0.padding(toLength: $1, withPad: " ", startingAt: 0)
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    static func size(_ bytes: Int) -> String {
        let units = ["B", "kB", "MB", "GB"]
        let unit = min(3, max(0, (String(bytes).count - 1) / 3))
        let value = Double(bytes) / pow(1000, Double(unit))
        return unit == 0 ? "\(bytes) B" : String(format: "%.1f \(units[unit])", value)
    }
}

/// What is wrong with a file of weights, by what it holds.
enum WeightFile {
    /// - Parameter name: what the file is to be called; its path's end where that is its name.
    static func problem(_ path: String, called name: String? = nil) -> String? {
        // Configurations, ONNX graphs and TorchScript are for those who read them to judge.
        let others = [".json", ".onnx", ".pt", ".yaml"]
        guard !others.contains(where: (name ?? path).hasSuffix) else { return nil }
        do {
            _ = try Checkpoint(path)
            return nil
        } catch let error as LoopyError {
            let prefix = path + ": "
            return error.message.hasPrefix(prefix)
                ? String(error.message.dropFirst(prefix.count)) : error.message
        } catch {
            return "\(error)"
        }
    }
}
