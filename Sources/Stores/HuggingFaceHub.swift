import Foundation

/// Hugging Face's hub, as the environment has it set up for Hugging Face's own tools: `HF_ENDPOINT`,
/// `HF_TOKEN`, `HF_HUB_OFFLINE`, and the cache of what they have fetched (`HF_HUB_CACHE`, `HF_HOME`).
public struct HuggingFaceHub: Sendable {
    /// A file of a model's repository.
    public struct File: Sendable, Equatable {
        /// "facebook/wav2vec2-base"
        public let repository: String
        /// A branch, a tag or a commit.
        public let revision: String
        /// The file's path in the repository.
        public let path: String
    }

    public let token: String?
    public let isOffline: Bool
    private let endpoint: String
    private let cache: String

    private static let home = "https://huggingface.co"

    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        func variable(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        let caches = variable("XDG_CACHE_HOME") ?? NSHomeDirectory() + "/.cache"
        let folder = variable("HF_HOME") ?? caches + "/huggingface"
        let tokenFile = variable("HF_TOKEN_PATH") ?? folder + "/token"
        let kept = try? String(contentsOfFile: tokenFile, encoding: .utf8)
        let token = variable("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? kept
        self.token = token?.trimmingCharacters(in: .whitespacesAndNewlines)
        cache = variable("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? folder + "/hub"
        let offline = variable("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")?.lowercased() ?? ""
        isOffline = ["1", "on", "yes", "true"].contains(offline)
        var endpoint = (variable("HF_ENDPOINT") ?? Self.home)[...]
        while endpoint.hasSuffix("/") { endpoint = endpoint.dropLast() }
        self.endpoint = String(endpoint)
    }

    /// A file of a repository whose page has an address such as "https://huggingface.co/OWNER/NAME" or
    /// "https://huggingface.co/OWNER/NAME/tree/REVISION/FOLDER"; nil for other addresses.
    public static func file(_ name: String, at page: String) -> File? {
        guard page.hasPrefix(home + "/") else { return nil }
        let parts = page.dropFirst(home.count + 1).split(separator: "/").map(String.init)
        guard parts.count == 2 || (parts.count > 3 && parts[2] == "tree") else { return nil }
        let folder = parts.dropFirst(4)
        return File(
            repository: parts[0] + "/" + parts[1], revision: parts.count > 3 ? parts[3] : "main",
            path: (folder + [name]).joined(separator: "/"))
    }

    /// Where a file is fetched.
    public func address(of file: File) -> String {
        "\(endpoint)/\(file.repository)/resolve/\(file.revision)/\(file.path)"
    }

    /// The path of a file that another tool has fetched already; nil where none has.
    public func cached(_ file: File) -> String? {
        let folder =
            cache + "/models--" + file.repository.replacingOccurrences(of: "/", with: "--")
        let commit =
            (try? String(contentsOfFile: "\(folder)/refs/\(file.revision)", encoding: .utf8))
            ?? file.revision
        let name = commit.trimmingCharacters(in: .whitespacesAndNewlines)
        let path = "\(folder)/snapshots/\(name)/\(file.path)"
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }
}
