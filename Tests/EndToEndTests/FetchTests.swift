import Foundation
import Storage
import TestSupport
import Testing

/// `loopy models fetch`, from a server of the tests' own (`Scripts/test-web.py`).
@Suite(.serialized)
struct FetchEndToEndTests {
    /// A server, a list of networks, and what was asked for.
    private struct Web {
        let bench: Workbench
        let port: String

        /// Runs `loopy models fetch` of a network that is one file.
        ///
        /// - Parameter page: where the list says that it is published; `PORT` stands for the server's.
        func fetch(
            _ page: String, pinned digest: String? = nil, file: String = "net.onnx",
            _ options: [String] = ["--accept-licence"], environment: [String: String] = [:]
        ) throws -> Workbench.Result {
            try list(page, pinned: digest, file: file)
            let variables = environment.map { "\($0)=\(filled($1))" }
            return try Workbench.run(
                "/usr/bin/env",
                ["LOOPY_MODELS=\(bench.folder)/models.yaml"] + variables + [
                    Workbench.executables + "/loopy", "models", "fetch", "net",
                ] + options)
        }

        /// Writes the list of networks.
        func list(
            _ page: String, pinned digest: String?, file: String, path: String? = nil
        ) throws {
            try bench.write(
                """
                net:
                  url: \(filled(page))
                  files: [\(file)]
                  licence: Somebody's own licence
                  used_by: [measure.lip_sync]
                  stand_in: nothing
                \(digest.map { "  sha256: { \(file): \($0) }" } ?? "")
                \(path.map { "  path: \($0)" } ?? "")
                """, to: "models.yaml")
        }

        private func filled(_ text: String) -> String {
            text.replacingOccurrences(of: "PORT", with: port)
                .replacingOccurrences(of: "BENCH", with: bench.folder)
        }

        var path: String { bench.folder + "/Models/net/net.onnx" }

        /// What the network's folder holds.
        var files: [String] {
            let names = try? names(in: bench.folder + "/Models/net")
            return (names ?? []).filter { $0 != ".fetching" }
        }

        /// The requests: path, range, status.
        func requests() -> [String] {
            let text = try? String(contentsOfFile: bench.folder + "/log", encoding: .utf8)
            return (text ?? "").split(separator: "\n").map(String.init)
        }
    }

    /// Runs a server while `body` does, which has a file of a million bytes, `net.onnx`.
    private func withWeb(_ body: (Web, _ digest: String) throws -> Void) throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        for (name, bytes) in [("net.onnx", bytes), ("net.onnx.new", bytes.reversed())] {
            try OutputFile.write(bytes, to: bench.folder + "/files/" + name)
        }
        let server = [
            "python3", Workbench.package + "/Scripts/test-web.py", bench.folder + "/files",
            bench.folder + "/log",
        ]
        try Workbench.whileRunning(server) { port in
            try body(Web(bench: bench, port: port), Digest.of(bytes))
        }
    }

    @Test func theLicenceIsShownAndMustBeAccepted() throws {
        try withWeb { web, digest in
            let page = "http://127.0.0.1:PORT/plain/net.onnx"
            let unasked = try web.fetch(page, pinned: digest, [])
            #expect(unasked.status == 64)
            #expect(unasked.output.contains("licence: Somebody's own licence"))
            #expect(unasked.errors.contains("--accept-licence"))
            #expect(web.requests() == [])

            let fetched = try web.fetch(page, pinned: digest)
            #expect(fetched.status == 0, "\(fetched.errors)")
            #expect(fetched.output.contains("licence: Somebody's own licence"))
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(web.files == ["net.onnx"])

            // It is there, and nobody is asked again.
            let again = try web.fetch(page, pinned: digest, [])
            #expect(again.status == 0 && again.output.contains("net: is there"))
            #expect(web.requests().count == 1)
        }
    }

    @Test func aFileWithoutADigestIsTakenOnlyWhereThatIsWanted() throws {
        try withWeb { web, digest in
            let page = "http://127.0.0.1:PORT/plain/net.onnx"
            let refused = try web.fetch(page)
            #expect(refused.status == 64)
            #expect(refused.errors.contains("pins no SHA-256 of net.onnx: --unpinned"))
            #expect(web.requests() == [])
            let taken = try web.fetch(page, ["--accept-licence", "--unpinned"])
            #expect(taken.status == 0, "\(taken.errors)")
            #expect(taken.output.contains("sha256: { net.onnx: \(digest) }"))
            #expect(taken.output.contains("Nothing vouches for it"))
        }
    }

    @Test func lostConnectionsAreMadeAgainFromWhereTheyWereLost() throws {
        try withWeb { web, digest in
            let result = try web.fetch("http://127.0.0.1:PORT/drop/net.onnx", pinned: digest)
            #expect(result.status == 0, "\(result.errors)")
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(web.files == ["net.onnx"])
            let ranges = web.requests().compactMap { $0.split(separator: " ").dropFirst().first }
            #expect(ranges == ["-", "bytes=300000-", "bytes=600000-", "bytes=900000-"])
        }
    }

    @Test(arguments: ["norange", "changed", "busy"])
    func whatCannotBeGoneOnWithIsBegunAnew(behaviour: String) throws {
        try withWeb { web, digest in
            let result = try web.fetch(
                "http://127.0.0.1:PORT/\(behaviour)/net.onnx", ["--accept-licence", "--unpinned"])
            #expect(result.status == 0, "\(result.errors)")
            let expected =
                behaviour == "changed"
                ? try Digest.ofFile(web.bench.folder + "/files/net.onnx.new") : digest
            #expect(try Digest.ofFile(web.path) == expected)
        }
    }

    @Test func aRunThatWasKilledIsGoneOnWith() throws {
        try withWeb { web, digest in
            try web.list(
                "http://127.0.0.1:\(web.port)/stall/net.onnx", pinned: digest, file: "net.onnx")
            let killed = Process()
            killed.executableURL = URL(fileURLWithPath: Workbench.executables + "/loopy")
            killed.arguments = ["models", "fetch", "net", "--accept-licence"]
            killed.environment = ProcessInfo.processInfo.environment.merging(
                ["LOOPY_MODELS": web.bench.folder + "/models.yaml"]) { $1 }
            killed.standardOutput = FileHandle.nullDevice
            try killed.run()
            let part = web.path + ".part"
            try Workbench.wait { (try? bytes(of: part).count) ?? 0 >= 200_000 }
            kill(killed.processIdentifier, SIGKILL)
            killed.waitUntilExit()
            let kept = try bytes(of: part).count
            #expect(!FileManager.default.fileExists(atPath: web.path))

            let result = try web.fetch("http://127.0.0.1:PORT/stall/net.onnx", pinned: digest)
            #expect(result.status == 0, "\(result.errors)")
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(web.requests().last == "/stall/net.onnx bytes=\(kept)- 206")
        }
    }

    @Test(arguments: [
        ("plain", 65, "has the SHA-256"), ("html", 65, "a web page in place of the file"),
        ("circle", 65, "cannot be fetched"), ("absent", 65, "is not there (HTTP 404)"),
    ])
    func whatIsNotTheFileIsNotKept(behaviour: String, status: Int, message: String) throws {
        try withWeb { web, _ in
            let page =
                behaviour == "absent"
                ? "http://127.0.0.1:PORT/plain/other"
                : "http://127.0.0.1:PORT/\(behaviour)/net.onnx"
            let result = try web.fetch(page, pinned: String(repeating: "0", count: 64))
            #expect(result.status == Int32(status))
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(web.files == [])
        }
    }

    @Test(arguments: ["empty", "never"])
    func aServerThatSendsNothingNewIsGivenUp(behaviour: String) throws {
        try withWeb { web, digest in
            let result = try web.fetch(
                "http://127.0.0.1:PORT/\(behaviour)/net.onnx", pinned: digest)
            #expect(result.status == 65)
            #expect(result.errors.contains("/\(behaviour)/net.onnx: cannot be fetched"))
        }
    }

    @Test func aWholeFileThatHasNotGotItsNameIsTaken() throws {
        try withWeb { web, digest in
            try OutputFile.copy(web.bench.folder + "/files/net.onnx", to: web.path + ".part")
            let result = try web.fetch("http://127.0.0.1:PORT/plain/net.onnx", pinned: digest)
            #expect(result.status == 0, "\(result.errors)")
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(web.requests() == ["/plain/net.onnx bytes=1000000- 416"])
        }
    }

    @Test func anotherFileUnderTheNameIsNotReplaced() throws {
        try withWeb { web, digest in
            try OutputFile.write(Array("mine".utf8), to: web.path)
            let result = try web.fetch("http://127.0.0.1:PORT/plain/net.onnx", pinned: digest)
            #expect(result.status == 65)
            #expect(result.errors.contains("is another file than"))
            #expect(try bytes(of: web.path) == Array("mine".utf8))
        }
    }

    @Test func theHubIsAskedAsTheEnvironmentSays() throws {
        try withWeb { web, digest in
            let page = "https://huggingface.co/owner/name"
            let hub = ["HF_ENDPOINT": "http://127.0.0.1:PORT/", "HF_HOME": "BENCH/hub"]
            let refused = try web.fetch(page, pinned: digest, environment: hub)
            #expect(refused.status == 65)
            #expect(refused.errors.contains("set HF_TOKEN too"))
            #expect(web.requests() == ["/owner/name/resolve/main/net.onnx - 401"])

            // The server fails where the token comes along to where it redirects.
            let token = hub.merging(["HF_TOKEN": "secret"]) { $1 }
            let fetched = try web.fetch(page, pinned: digest, environment: token)
            #expect(fetched.status == 0, "\(fetched.errors)")
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(
                web.requests().dropFirst() == [
                    "/owner/name/resolve/main/net.onnx - 302", "/plain/net.onnx - 200",
                ])
        }
    }

    @Test func whatTheHubsToolsHaveFetchedIsTakenFromTheirCache() throws {
        try withWeb { web, digest in
            let cache = web.bench.folder + "/hub/hub/models--owner--name"
            try OutputFile.write(Array("abc123\n".utf8), to: cache + "/refs/main")
            let environment = ["HF_HOME": "BENCH/hub", "HF_HUB_OFFLINE": "1"]
            let page = "https://huggingface.co/owner/name/tree/main/part"
            let missing = try web.fetch(page, pinned: digest, environment: environment)
            #expect(missing.status == 65)
            #expect(missing.errors.contains("HF_HUB_OFFLINE"))
            try OutputFile.copy(
                web.bench.folder + "/files/net.onnx", to: cache + "/snapshots/abc123/part/net.onnx")
            let found = try web.fetch(page, pinned: digest, environment: environment)
            #expect(found.status == 0, "\(found.errors)")
            #expect(try Digest.ofFile(web.path) == digest)
            #expect(web.requests() == [])
        }
    }

    @Test func proxiesAreUsed() throws {
        try withWeb { web, digest in
            let page = "http://weights.invalid/plain/net.onnx"
            let proxy = ["http_proxy": "http://127.0.0.1:PORT", "no_proxy": ""]
            let result = try web.fetch(page, pinned: digest, environment: proxy)
            #expect(result.status == 0, "\(result.errors)")
            #expect(web.requests() == ["\(page) - 200"])
        }
    }

    @Test(.enabled(if: Workbench.mayMountDisks))
    func aFullDiskIsSaid() throws {
        try withWeb { web, digest in
            try web.list(
                "http://127.0.0.1:\(web.port)/plain/net.onnx", pinned: digest, file: "net.onnx",
                path: web.bench.disk + "/net")
            setenv("LOOPY_MODELS", web.bench.folder + "/models.yaml", 1)
            defer { unsetenv("LOOPY_MODELS") }
            let arguments = ["models", "fetch", "net", "--accept-licence"]
            let full = try web.bench.loopy(onDiskOf: 600, arguments)
            #expect(full.status == 74, "\(full.errors)")
            #expect(full.errors.contains("free some space"))
            let enough = try web.bench.loopy(onDiskOf: 2000, arguments)
            #expect(enough.status == 0, "\(enough.errors)")
        }
    }
}
