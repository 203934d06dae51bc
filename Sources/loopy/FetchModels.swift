import ArgumentParser
import Errors
import Foundation
import Settings
import StageCommand
import Storage
import Stores

struct FetchModels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch networks from where they are published.",
        discussion: """
            Each network's licence is shown first. What comes is compared with the SHA-256 that \
            Manifests/models.yaml pins, and gets its name when it is whole; what is lost on the way is \
            gone on with by the next run. curl does the transfers, as the environment has it: https_proxy, \
            no_proxy, .... Of Hugging Face's hub, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE hold as well, \
            and what its own tools have in their cache is taken from there.
            """)

    @Argument(
        help: ArgumentHelp("Names of networks, as 'loopy models' lists them.", valueName: "name"))
    var names: [String]

    @Flag(help: "Accept the licences, without being asked.")
    var acceptLicence = false

    @Flag(help: "Also fetch files of which no SHA-256 is pinned: nothing vouches for them.")
    var unpinned = false

    func run() throws {
        try reporting {
            let manifest = try ModelManifest.locate()
            let hub = HuggingFaceHub()
            let entries = try names.map(manifest.entry)
            var fetches: [ModelFetch] = []
            for entry in entries {
                let fetch = try ModelFetch(entry, in: manifest, hub: hub, unpinned: unpinned)
                if fetch.files.isEmpty {
                    print("\(entry.name): is there")
                } else {
                    fetches.append(fetch)
                }
            }
            for fetch in fetches { try askForLicence(fetch.entry) }
            var failure: LoopyError?
            for fetch in fetches {
                do {
                    try fetch.run()
                } catch let error as LoopyError {
                    say("error: \(fetch.entry.name): \(error)")
                    failure = failure ?? error
                }
            }
            if let failure { throw ExitCode(failure.category.exitStatus) }
        }
    }

    /// - Throws: `LoopyError` `.configuration` where it is not accepted.
    private func askForLicence(_ entry: ModelManifest.Entry) throws {
        print("\(entry.name), published at \(entry.url)\nlicence: \(entry.licence)")
        if acceptLicence { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw LoopyError(
                .configuration, "\(entry.name): accept its licence with --accept-licence")
        }
        print("Do you accept it? [y/N] ", terminator: "")
        fflush(nil)
        guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else {
            throw LoopyError(
                .configuration,
                "\(entry.name): its licence is not accepted; nothing was fetched")
        }
    }
}

/// The files of one network that are still to be fetched.
struct ModelFetch {
    let entry: ModelManifest.Entry
    /// Names; of alternatives, the others are tried where the first is not published.
    let files: [[String]]
    private let manifest: ModelManifest
    private let hub: HuggingFaceHub

    /// - Parameter unpinned: whether files are wanted, too, of which no digest is pinned.
    /// - Throws: `LoopyError` `.configuration` for a network that is not on the web, and for one of which no
    ///   digests are pinned; `.mismatch` where a file is there that is another one than is pinned.
    init(
        _ entry: ModelManifest.Entry, in manifest: ModelManifest, hub: HuggingFaceHub,
        unpinned: Bool
    ) throws {
        (self.entry, self.manifest, self.hub) = (entry, manifest, hub)
        let missing = try entry.files.filter { try !Self.isThere($0, entry, manifest) }
        guard missing.isEmpty || entry.url.hasPrefix("http") else {
            throw LoopyError(
                .configuration, "\(entry.name): is not fetched from the web: \(entry.url)")
        }
        files = missing.map { names in
            let pinned = names.filter { entry.digests[$0] != nil }
            return unpinned ? pinned + names.filter { entry.digests[$0] == nil } : pinned
        }
        let unknown = zip(missing, files).filter { $1.isEmpty }.map {
            $0.0.joined(separator: " or ")
        }
        guard unknown.isEmpty else {
            throw LoopyError(
                .configuration,
                "\(entry.name): \(manifest.path) pins no SHA-256 of \(unknown.joined(separator: ", ")): "
                    + "--unpinned takes what comes, and says what it was")
        }
    }

    /// Whether one of some alternatives is there, and is what is pinned.
    private static func isThere(
        _ names: [String], _ entry: ModelManifest.Entry, _ manifest: ModelManifest
    ) throws -> Bool {
        let present = names.first {
            FileManager.default.fileExists(atPath: manifest.location(of: $0, of: entry))
        }
        guard let present else { return false }
        let path = manifest.location(of: present, of: entry)
        guard let digest = entry.digests[present], try Digest.ofFile(path) != digest else {
            return true
        }
        throw LoopyError(
            .mismatch,
            "is another file than \(manifest.path) pins (SHA-256 \(digest.prefix(12))…): move it away, and "
                + "fetch again", path: path)
    }

    /// Fetches the files, one after the other.
    func run() throws {
        for names in files {
            for (index, name) in names.enumerated() {
                do {
                    try fetch(name)
                    break
                } catch let error as LoopyError
                    where error.category == .missing && index + 1 < names.count
                {
                    say("\(error); trying \(names[index + 1])")
                }
            }
        }
    }

    private func fetch(_ name: String) throws {
        let path = manifest.location(of: name, of: entry)
        let digest = try fromCache(name, to: path) ?? fromWeb(name, to: path)
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        print("\(path)  \(ModelTable.size(size))")
        guard entry.digests[name] == nil else { return }
        print(
            """
            \(name) has the SHA-256 \(digest). Nothing vouches for it; pin it in \(manifest.path):
              sha256: { \(name): \(digest) }
            """)
    }

    /// Copies a file that Hugging Face's own tools have fetched, where it is the one that is wanted.
    ///
    /// - Returns: its digest; nil where there is none.
    private func fromCache(_ name: String, to path: String) throws -> String? {
        guard let file = HuggingFaceHub.file(name, at: entry.url),
            let cached = hub.cached(file), problem(cached, name) == nil,
            case let digest = try Digest.ofFile(cached),
            entry.digests[name] == nil || entry.digests[name] == digest
        else { return nil }
        try OutputFile.copy(cached, to: path)
        return digest
    }

    private func fromWeb(_ name: String, to path: String) throws -> String {
        let file = HuggingFaceHub.file(name, at: entry.url)
        if file != nil, hub.isOffline {
            throw LoopyError(
                .unreadable,
                "\(name): is not in Hugging Face's cache, and HF_HUB_OFFLINE forbids to fetch it")
        }
        let isItself = URL(string: entry.url)?.lastPathComponent == name
        let address =
            file.map(hub.address) ?? (isItself ? entry.url : "\(entry.url)/\(name)")
        let download = Download(
            address, to: path, sha256: entry.digests[name], token: file == nil ? nil : hub.token)
        let megabyte = 1_000_000
        var progress: ProgressLine?
        func show(_ bytes: Int, of total: Int?) {
            guard let total, total > 10 * megabyte else { return }
            progress = progress ?? ProgressLine(name + ", MB", total: total / megabyte)
            progress?.advance(to: bytes / megabyte)
        }
        let digest = try download.run(check: { problem($0, name) }, onBytes: show)
        progress?.end()
        return digest
    }

    /// What is plainly wrong with a file; nil when nothing is.
    private func problem(_ path: String, _ name: String) -> String? {
        guard name.hasSuffix(".json") else { return WeightFile.problem(path, called: name) }
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return (try? JSONSerialization.jsonObject(with: data)) == nil ? "is not JSON" : nil
    }
}
