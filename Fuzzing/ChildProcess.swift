import Foundation

/// Runs this executable as a child that reads inputs, and watches it.
enum ChildProcess {
    struct End {
        var read = 0
        var refused = 0
        /// The index of the last input that was begun; nil when the child did not come so far.
        var last: Int?
        /// What went wrong; nil when nothing did.
        var reason: String?
        var errors = ""
    }

    /// - Parameter limit: the seconds of processor time that the child may take without a word, or ten
    ///   times as many by the clock: other work on the machine must not make a finding.
    static func run(
        _ reader: Reader, log: String, limit: Double, _ arguments: [String]
    ) throws -> End {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["child", reader.name] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "ASAN_OPTIONS": "detect_leaks=0:handle_sigill=1:allocator_may_return_null=1",
                "SWIFT_BACKTRACE":
                    "enable=yes,threads=crashed,registers=none,images=none,color=no,"
                    + "interactive=no,symbolicate=fast,limit=16",
            ]
        ) { own, _ in own }
        for path in [log, log + ".errors"] {
            try Data().write(to: URL(fileURLWithPath: path))
        }
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = FileHandle(forWritingAtPath: log + ".errors")
        try process.run()
        var isHung = false
        var (size, since, used) = (0, Date(), 0.0)
        while process.isRunning {
            Thread.sleep(forTimeInterval: 0.05)
            let now = (try? FileManager.default.attributesOfItem(atPath: log)[.size] as? Int) ?? 0
            let processor = processorSeconds(process.processIdentifier)
            if now != size { (size, since, used) = (now, Date(), processor) }
            if processor - used > limit || Date().timeIntervalSince(since) > 10 * limit {
                isHung = true
                kill(process.processIdentifier, SIGKILL)
            }
        }
        process.waitUntilExit()
        return try end(process, isHung: isHung, log: log)
    }

    /// The processor time that a process has taken.
    private static func processorSeconds(_ process: Int32) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        // After the name in parentheses: the 12th and 13th fields are user and system time.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13])
        else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func end(_ process: Process, isHung: Bool, log: String) throws -> End {
        var end = End()
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        for line in lines {
            let words = line.split(separator: " ")
            switch words.first {
            case "read": end.read += 1
            case "refused": end.refused += 1
            case "at": end.last = Int(words.last ?? "")
            default: break
            }
        }
        let errors = (try? Data(contentsOf: URL(fileURLWithPath: log + ".errors"))) ?? Data()
        end.errors = String(decoding: errors.suffix(20_000), as: UTF8.self)
        if isHung {
            end.reason = "does not end"
        } else if process.terminationReason == .uncaughtSignal || process.terminationStatus != 0 {
            end.reason = reason(end.errors) ?? "ended with \(process.terminationStatus)"
        }
        return end
    }

    /// The line that tells what happened, or else the first of our own code in the backtrace.
    private static func reason(_ errors: String) -> String? {
        let lines = errors.split(separator: "\n")
        let telling = [
            "Fatal error", "Precondition failed", "SUMMARY:", "Error: ", "runtime error",
        ]
        if let line = lines.first(where: { line in telling.contains { line.contains($0) } }) {
            return String(line.prefix(300))
        }
        let own = lines.first { $0.contains("/Sources/") }
        return own.map { String($0[($0.range(of: "/Sources/")?.lowerBound ?? $0.startIndex)...]) }
    }
}
