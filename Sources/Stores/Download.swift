import Errors
import Foundation
import Storage

/// Fetches one file of the web, with `curl`: through proxies, redirects and lost connections.
///
/// Bytes go to `PATH.part`. A connection that is lost is made again and goes on where it was, and so does the
/// next run, where the digest is known or the server says that the file is still the same. The file gets its
/// name when it is whole and has its digest.
public struct Download {
    private let address: String
    private let path: String
    private let sha256: String?
    private let token: String?

    private var part: String { path + ".part" }
    /// Holds what the server calls the version that the part is of: an entity tag, or a date.
    private var tagFile: String { path + ".part.tag" }

    /// How often in a row a server is asked that sends nothing new.
    private static let tries = 5
    /// Seconds without a byte, and until there is a connection, after which it is lost.
    private static let silence = 60, connecting = 30
    private static let redirects = 10
    private static let pieceSize = 1 << 18

    /// - Parameters:
    ///   - sha256: the digest that the file must have; nil where nobody knows.
    ///   - token: proves to the server who asks. It is not sent on to where the server redirects to.
    public init(_ address: String, to path: String, sha256: String?, token: String? = nil) {
        (self.address, self.path, self.sha256, self.token) = (address, path, sha256, token)
    }

    /// Fetches the file.
    ///
    /// - Parameters:
    ///   - check: says what is wrong with the file of a path, before it gets its name; nil when nothing is.
    ///   - onBytes: called now and then with how many bytes are there, and of how many where that is known.
    /// - Returns: the SHA-256 of the file.
    /// - Throws: `LoopyError` `.missing` where the server has no such file, `.refused` where it does not give
    ///   it to us, `.unreadable` where it cannot be reached, `.malformed` where what comes is not the file,
    ///   and `.output` where it cannot be written.
    public func run(
        check: (String) -> String?, onBytes: (_ bytes: Int, _ total: Int?) -> Void
    ) throws -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return try FileLock.holding(folder + "/.fetching") {
            // Somebody else may have fetched it meanwhile.
            if access(path, F_OK) == 0, case let digest = try Digest.ofFile(path),
                sha256 == nil || sha256 == digest
            {
                return digest
            }
            defer { if size(part) == 0 { unlink(part) } }
            try fetch(onBytes)
            let digest = try verified(check)
            guard rename(part, path) == 0 else {
                throw LoopyError.system(.output, "renaming", path)
            }
            unlink(tagFile)
            return digest
        }
    }

    // MARK: What came

    private func verified(_ check: (String) -> String?) throws -> String {
        let descriptor = open(part, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw LoopyError.system(.output, "syncing", part)
        }
        var head = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &head, head.count)
        let digest = try Digest.ofFile(part)
        if let problem = problem(head.prefix(max(0, count)), digest) ?? check(part) {
            removePart()
            throw LoopyError(.malformed, problem, path: address)
        }
        return digest
    }

    private func problem(_ head: ArraySlice<UInt8>, _ digest: String) -> String? {
        if let sha256, digest == sha256 { return nil }
        if head.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) == UInt8(ascii: "<") {
            return
                "gives a web page in place of the file: sign in or accept its conditions in a browser, "
                + "and fetch the file by hand where that does not help"
        }
        return sha256.map {
            "has the SHA-256 \(digest), and the list of networks pins \($0): it was damaged or exchanged; "
                + "nothing was kept"
        }
    }

    private func removePart() {
        unlink(part)
        unlink(tagFile)
    }

    // MARK: The transfer

    private func fetch(_ onBytes: (Int, Int?) -> Void) throws {
        var failures = 0, furthest = 0
        while true {
            let start = resumable()
            let result = try transfer(from: start, onBytes)
            switch result.verdict {
            case .done: return
            case .startAnew:
                // It may be whole, where a run ended before it had its name.
                if result.isBehindEnd, let sha256, try Digest.ofFile(part) == sha256 { return }
                removePart()
                guard start > 0 else { throw result.error(address) }
            case .failed: throw result.error(address)
            case .mayPass:
                // What is begun anew, and lost again, is no progress.
                let bytes = size(part)
                failures = bytes > furthest ? 1 : failures + 1
                furthest = max(furthest, bytes)
                guard failures < Self.tries else { throw result.error(address) }
                Thread.sleep(forTimeInterval: 0.5 * pow(2, Double(failures - 1)))
            }
        }
    }

    /// The bytes that are there of the very file that is to be fetched.
    private func resumable() -> Int {
        let bytes = size(part)
        if bytes > 0, sha256 == nil, tag == nil {
            truncate(part, 0)
            return 0
        }
        return bytes
    }

    private var tag: String? { try? String(contentsOfFile: tagFile, encoding: .utf8) }

    private func size(_ path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? Int(information.st_size) : 0
    }

    /// Asks once, for what is behind a byte. The bytes come through a pipe, so that curl ends where this
    /// process does.
    private func transfer(
        from start: Int, _ onBytes: (Int, Int?) -> Void
    ) throws -> TransferResult {
        let headers = part + ".head"
        defer { unlink(headers) }
        let process = Process(), input = Pipe(), output = Pipe(), errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl", "--config", "-"]
        (process.standardInput, process.standardOutput) = (input, output)
        process.standardError = errors
        // A curl that is not there reads nothing, which is not this process's end.
        signal(SIGPIPE, SIG_IGN)
        try process.run()
        // Not on the command line, where everybody on the machine can read the token.
        try? input.fileHandleForWriting.write(
            contentsOf: Data(configuration(start, headers).utf8))
        try? input.fileHandleForWriting.close()
        do {
            try append(output.fileHandleForReading, to: start, headers, onBytes)
        } catch {
            process.terminate()
            throw error
        }
        let message = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let head = ResponseHead(file: headers)
        // Of the file, and not of what is said in its place.
        if let version = head.version, head.status == 200 || head.status == 206 {
            try OutputFile.write(version.utf8, to: tagFile)
        } else if head.status == 200 {
            unlink(tagFile)
        }
        return TransferResult(
            exitStatus: process.terminationStatus, httpStatus: head.status,
            message: message.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Writes what comes behind what is there.
    private func append(
        _ source: FileHandle, to start: Int, _ headers: String, _ onBytes: (Int, Int?) -> Void
    ) throws {
        let file = open(part, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw LoopyError.system(.output, "opening it", part) }
        defer { close(file) }
        var bytes = start, total: Int?
        while let piece = try source.read(upToCount: Self.pieceSize), !piece.isEmpty {
            try piece.withUnsafeBytes { memory in
                var written = 0
                while written < memory.count {
                    let count = write(file, memory.baseAddress! + written, memory.count - written)
                    if count < 0 && errno == EINTR { continue }
                    guard count > 0 else { throw LoopyError.system(.output, "writing", part) }
                    written += count
                }
            }
            bytes += piece.count
            if total == nil { total = ResponseHead(file: headers).length.map { start + $0 } }
            onBytes(bytes, total)
        }
    }

    private func configuration(_ start: Int, _ headers: String) -> String {
        let isSecure = address.hasPrefix("https:")
        var options = [
            ("url", address), ("dump-header", headers), ("proto", "=http,https"),
            // What was asked for safely is not brought unsafely.
            ("proto-redir", isSecure ? "=https" : "=http,https"),
            ("max-redirs", "\(Self.redirects)"), ("connect-timeout", "\(Self.connecting)"),
            ("speed-limit", "1"), ("speed-time", "\(Self.silence)"),
            ("user-agent", "loopy"),
        ]
        if start > 0 {
            options.append(("continue-at", "\(start)"))
            if let tag { options.append(("header", "If-Range: \(tag)")) }
        }
        if let token { options.append(("header", "Authorization: Bearer \(token)")) }
        func quoted(_ text: String) -> String {
            "\""
                + text.replacingOccurrences(of: "\\", with: "\\\\")
                .replacingOccurrences(of: "\"", with: "\\\"") + "\""
        }
        let flags = ["silent", "show-error", "location", "fail", "globoff"]
        return (flags + options.map { "\($0) = \(quoted($1))" }).joined(separator: "\n") + "\n"
    }
}

/// How curl ended.
private struct TransferResult {
    let exitStatus: Int32
    /// 0 where there was no answer.
    let httpStatus: Int
    let message: String

    enum Verdict {
        case done
        /// What is there of the file is of no use.
        case startAnew
        /// It may work another time.
        case mayPass
        case failed
    }

    /// Of curl's exit statuses: an answer without the range that was asked for; and errors of the network.
    private static let noRange: Int32 = 33, notFound: Int32 = 127
    private static let network: Set<Int32> = [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92, 95, 96]

    /// Whether there is nothing behind the byte from which on it was asked for.
    var isBehindEnd: Bool { httpStatus == 416 }

    var verdict: Verdict {
        if exitStatus == 0 { return .done }
        if exitStatus == Self.noRange || isBehindEnd { return .startAnew }
        let passing = Self.network.contains(exitStatus) || [408, 429].contains(httpStatus)
        return passing || httpStatus >= 500 ? .mayPass : .failed
    }

    func error(_ address: String) -> LoopyError {
        let (category, text): (LoopyError.Category, String) =
            switch (exitStatus, httpStatus) {
            case (Self.notFound, _):
                (.missing, "cannot be fetched, for there is no curl: install it")
            case (_, 401), (_, 403):
                (
                    .refused,
                    "is not given to everybody (HTTP \(httpStatus)): accept its conditions where it is "
                        + "published; on Hugging Face's hub, set HF_TOKEN too"
                )
            case (_, 404), (_, 410): (.missing, "is not there (HTTP \(httpStatus))")
            case (_, 400...): (.unreadable, "the server answers with HTTP \(httpStatus)")
            default: (.unreadable, "cannot be fetched (\(message)); run again to go on")
            }
        return LoopyError(category, text, path: address)
    }
}

/// The head of the last answer, after redirects, in a file that curl wrote.
private struct ResponseHead {
    /// The HTTP status; 0 where there was no answer.
    private(set) var status = 0
    private var fields: [String: String] = [:]

    init(file: String) {
        guard let text = try? String(contentsOfFile: file, encoding: .isoLatin1) else { return }
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("HTTP/") {
                fields = [:]
                status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            }
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
    }

    /// The bytes that the answer brings.
    var length: Int? { fields["content-length"].flatMap { Int($0) } }

    /// What `If-Range` takes: a weak tag may be that of other bytes.
    var version: String? {
        let tag = fields["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 }
        return tag ?? fields["last-modified"]
    }
}
