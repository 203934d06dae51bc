import Dispatch
import Errors
import FlyingFox
import FlyingSocks
import Foundation
import Report
import Storage
import Synchronization

/// Gives a site to browsers of this machine, at an address that nobody else can guess.
///
/// It listens on the loopback address. Every address begins with a token, so that neither another user of the
/// machine nor a page of another site can read anything; requests under another host's name (DNS rebinding)
/// are refused. It reads what the site names and nothing else, and writes files of selections only.
public final class SiteServer: Sendable {
    private let make: @Sendable () throws -> Site
    private let site: Mutex<Site>
    private let token: String
    private let server: HTTPServer
    /// Reading and encoding block: not for the threads that everything else waits on.
    private let queue = DispatchQueue(label: "resources", attributes: .concurrent)

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - make: makes the site; called again when the page is loaded after the dataset has changed.
    /// - Throws: what `make` throws.
    public init(port: UInt16, _ make: @escaping @Sendable () throws -> Site) throws {
        self.make = make
        site = Mutex(try make())
        var numbers = SystemRandomNumberGenerator()
        token = (0..<3).map { _ in String(numbers.next(), radix: 36) }.joined()
        server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: port), logger: .disabled)
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter onReady: called with the address to open.
    /// - Throws: `LoopyError` `.output` where the port cannot be had.
    public func run(onReady: @escaping @Sendable (String) -> Void) async throws {
        await server.appendRoute("*", to: Handler(server: self))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.server.run()
                } catch let error as SocketError {
                    throw LoopyError(
                        .output,
                        "the port cannot be had (\(error.localizedDescription)): name another with "
                            + "--port, or 0 for any that is free")
                }
            }
            group.addTask {
                try await self.server.waitUntilListening(timeout: 60)
                guard let port = await self.port else { return }
                onReady("http://127.0.0.1:\(port)/\(self.token)/")
            }
            try await group.waitForAll()
        }
    }

    private var port: UInt16? {
        get async {
            guard case .ip4(_, let port) = await server.listeningAddress else { return nil }
            return port
        }
    }

    private struct Handler: HTTPHandler {
        let server: SiteServer

        func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
            var response = await server.answer(request)
            for (header, value) in SiteServer.headers { response.headers[header] = value }
            return response
        }
    }

    /// No other site may read, frame or embed what is served; no cache keeps it.
    private static let headers: [(HTTPHeader, String)] = [
        (.cacheControl, "no-store"), (HTTPHeader("X-Content-Type-Options"), "nosniff"),
        (HTTPHeader("Cross-Origin-Resource-Policy"), "same-origin"),
        (HTTPHeader("Cross-Origin-Opener-Policy"), "same-origin"),
        (HTTPHeader("X-Frame-Options"), "DENY"), (HTTPHeader("Referrer-Policy"), "no-referrer"),
    ]

    private func answer(_ request: HTTPRequest) async -> HTTPResponse {
        guard await isOwnHost(request.headers[.host]) else {
            return .text(.misdirectedRequest, "this server answers under its own address only")
        }
        // As it was sent: `path` has no slash at its end, and the page's names are relative to it.
        let path = request.target.path().split(separator: "/", omittingEmptySubsequences: false)
        // An address without the token is unknown, whatever comes behind it.
        guard path.count >= 3, path[1] == token else { return .text(.notFound, "not found") }
        let name = path[2...].joined(separator: "/")
        do {
            if request.method == .POST { return try await save(name, request) }
            guard request.method == .GET || request.method == .HEAD else {
                return .text(.methodNotAllowed, "not allowed")
            }
            guard let resource = try await resource(name) else {
                return .text(.notFound, "not found")
            }
            return try answer(with: resource, request)
        } catch let error as LoopyError where error.category != .output {
            // A source that has gone or cannot be decoded: there is nothing to see of it.
            return .text(.notFound, "\(error)")
        } catch {
            return .text(.internalServerError, "\(error)")
        }
    }

    private func isOwnHost(_ host: String?) async -> Bool {
        guard let host, let port = await port else { return false }
        return host == "127.0.0.1:\(port)" || host == "localhost:\(port)"
    }

    private func resource(_ name: String) async throws -> Resource? {
        try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(
                    with: Result {
                        guard name.isEmpty else { return try self.current.resource(name) }
                        try self.renew()
                        return Resource(.bytes(try Site.page()), type: .html)
                    })
            }
        }
    }

    private var current: Site { site.withLock { $0 } }

    /// Makes the site anew where the dataset has changed.
    private func renew() throws {
        try site.withLock { site in
            if site.isOutdated { site = try make() }
        }
    }

    /// All of a resource, or the range that was asked for.
    private func answer(with resource: Resource, _ request: HTTPRequest) throws -> HTTPResponse {
        let count =
            switch resource.content {
            case .bytes(let bytes): bytes.count
            case .file(_, let range): range.count
            }
        var headers: HTTPHeaders = [.contentType: resource.type.rawValue, .acceptRanges: "bytes"]
        var range = 0..<count
        var status = HTTPStatusCode.ok
        if let asked = request.headers[.range], let wanted = ByteRange(asked) {
            guard let part = wanted.bytes(of: count) else {
                headers[.contentRange] = "bytes */\(count)"
                return HTTPResponse(statusCode: .rangeNotSatisfiable, headers: headers)
            }
            (range, status) = (part, .partialContent)
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(count)"
        }
        if request.method == .HEAD {
            headers[.contentLength] = "\(range.count)"
            return HTTPResponse(statusCode: status, headers: headers)
        }
        let body =
            switch resource.content {
            case .bytes(let bytes):
                HTTPBodySequence(data: Data(bytes[range]), suggestedBufferSize: 1 << 18)
            case .file(let path, let whole):
                try HTTPBodySequence(
                    file: URL(fileURLWithPath: path),
                    range: (whole.lowerBound + range.lowerBound)..<(whole.lowerBound
                        + range.upperBound), suggestedBufferSize: 1 << 16)
            }
        return HTTPResponse(statusCode: status, headers: headers, body: body)
    }

    /// Keeps the settings of a selection as `selections/NAME.yaml` of the dataset.
    private func save(_ name: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "selections" else {
            return .text(.notFound, "not found")
        }
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_"))
        let title = String(parts[1])
        guard (1...64).contains(title.count),
            title.unicodeScalars.allSatisfy({ $0.isASCII && allowed.contains($0) })
        else {
            return .text(
                .badRequest, "a name has 1 to 64 letters, digits, hyphens and underscores")
        }
        let text = try await request.bodyData
        guard text.count < 1 << 20 else { return .text(.payloadTooLarge, "too large") }
        let path = "\(current.dataset.path)/selections/\(title).yaml"
        try OutputFile.write(Array(text), to: path)
        return .text(.ok, path)
    }
}

extension HTTPResponse {
    fileprivate static func text(_ status: HTTPStatusCode, _ text: String) -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: Data(text.utf8))
    }
}

/// What a `Range` header of one range asks for (RFC 9110, section 14).
struct ByteRange {
    private let first: Int?
    private let last: Int?

    /// Nil for what is no single range of bytes: the whole is given then.
    init?(_ header: String) {
        guard header.hasPrefix("bytes=") else { return nil }
        let ends = header.dropFirst("bytes=".count).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        (first, last) = (Int(ends[0]), Int(ends[1]))
        guard first != nil || last != nil, ends[0].isEmpty || first != nil,
            ends[1].isEmpty || last != nil
        else { return nil }
    }

    /// - Returns: nil where there are no such bytes.
    func bytes(of count: Int) -> Range<Int>? {
        guard let first else {
            // The last bytes.
            let length = min(count, last ?? 0)
            return length > 0 ? (count - length)..<count : nil
        }
        let end = min(count - 1, last ?? count - 1)
        return first < count && first <= end ? first..<(end + 1) : nil
    }
}
