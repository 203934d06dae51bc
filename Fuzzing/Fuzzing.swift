import Errors
import Foundation

/// What went wrong with an input.
struct Finding {
    /// What went wrong in a process that lives on.
    struct Fault: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    let reader: String
    let index: Int
    /// What happened, in a line; findings of the same line are taken for one fault.
    let reason: String
    let folder: String
}

/// Runs readers in child processes until the time is over, and keeps what they find.
struct Fuzzing {
    private(set) var findings: [Finding] = []
    private let seed: UInt64
    private let work: String
    private var counts: [String: (read: Int, refused: Int)] = [:]
    /// Seconds of processor time after which an input is taken to hang its reader.
    private static let limit = 60.0
    private static let secondsAChild = 5.0

    init(seed: UInt64, work: String) {
        self.seed = seed
        self.work = work
    }

    mutating func run(_ readers: [Reader], seconds: Double) throws {
        let deadline = Date().addingTimeInterval(seconds)
        var next: [String: Int] = [:]
        while Date() < deadline {
            for reader in readers where Date() < deadline {
                let rest = max(0.5, deadline.timeIntervalSinceNow)
                let end = try ChildProcess.run(
                    reader, log: work + "/\(reader.name).log", limit: Self.limit,
                    [
                        "--seed", "\(seed)", "--first", "\(next[reader.name] ?? 0)", "--work", work,
                        "--seconds", "\(min(rest, Self.secondsAChild))",
                    ])
                counts[reader.name, default: (0, 0)].read += end.read
                counts[reader.name, default: (0, 0)].refused += end.refused
                guard let last = end.last else {
                    throw LoopyError(
                        .processing,
                        "\(reader.name): the child ended before its first input: "
                            + (end.reason ?? "its time was over"))
                }
                next[reader.name] = last + 1
                if let reason = end.reason { try keep(reader, last, reason, end.errors) }
            }
        }
    }

    /// A line for each reader, then one for each finding.
    var summary: String {
        let lines = counts.sorted { $0.key < $1.key }.map { reader, count in
            let found = findings.count { $0.reader == reader }
            return "\(reader): \(count.read) read, \(count.refused) refused, \(found) findings"
        }
        let found = findings.map { "\($0.reader) \($0.index): \($0.reason) (\($0.folder))" }
        return (lines + found).joined(separator: "\n")
    }

    /// Keeps an input that shows a fault that is not known yet.
    private mutating func keep(
        _ reader: Reader, _ index: Int, _ reason: String, _ errors: String
    ) throws {
        guard !findings.contains(where: { $0.reader == reader.name && $0.reason == reason }) else {
            return
        }
        let folder = work + "/findings/\(reader.name)-\(seed)-\(index)"
        print("found: \(reader.name) \(index): \(reason)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var mutation = Mutation(
            index, seed: seed, of: try Corpus.files(reader, in: work + "/corpus"))
        let path = folder + "/" + mutation.name
        try minimise(&mutation, reader, at: path)
        try Data(mutation.bytes).write(to: URL(fileURLWithPath: path))
        let report = """
            reader   \(reader.name)
            seed     \(seed), index \(index)
            file     \(mutation.name)
            changes  \(mutation.changes.map(\.description).joined(separator: "; "))
            reason   \(reason)

            \(errors)
            """
        try report.write(toFile: folder + "/report.txt", atomically: true, encoding: .utf8)
        findings.append(
            Finding(reader: reader.name, index: index, reason: reason, folder: folder))
    }

    /// Takes changes away as long as the input does harm without them.
    private func minimise(_ mutation: inout Mutation, _ reader: Reader, at path: String) throws {
        for index in mutation.changes.indices.reversed() where mutation.changes.count > 1 {
            var fewer = mutation
            fewer.changes.remove(at: index)
            try Data(fewer.bytes).write(to: URL(fileURLWithPath: path))
            let end = try ChildProcess.run(
                reader, log: work + "/minimise.log", limit: Self.limit, ["--file", path])
            if end.reason != nil { mutation = fewer }
        }
    }
}
