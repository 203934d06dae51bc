import COpenVINO
import Foundation
import Storage

/// Networks that earlier processes compiled, which takes several times as long as reading one:
/// `~/.cache/loopy`, or `XDG_CACHE_HOME/loopy`. Where there is no such folder and none can be made, nothing is
/// kept.
///
/// A network has a folder of its own, which appears whole or not at all: processes do not see one another's
/// half-written files.
enum CompiledNetworks {
    /// A network, compiled now or before.
    ///
    /// - Returns: nil where nothing can be kept, or OpenVINO refuses the network.
    static func network(_ path: String, threads: Int) throws -> OpaquePointer? {
        guard let folder = folder(of: path, threads: threads) else { return nil }
        let core = try Runtime.core
        func compile(_ folder: String) -> OpaquePointer? {
            var compiled: OpaquePointer?
            let status = loopy_ov_compile_file_for_cpu(
                core, path, String(threads), folder, &compiled)
            return status == OK ? compiled : nil
        }
        let files = FileManager.default
        if files.fileExists(atPath: folder) { return compile(folder) }
        let partial = "\(folder).partial-\(getpid())-\(UInt32.random(in: 0...(.max)))"
        guard
            (try? files.createDirectory(atPath: partial, withIntermediateDirectories: true)) != nil
        else { return nil }
        let compiled = compile(partial)
        // Another process may have been first.
        if compiled == nil || rename(partial, folder) != 0 {
            try? files.removeItem(atPath: partial)
        }
        return compiled
    }

    /// Everything that what is compiled follows from is in the name.
    private static func folder(of path: String, threads: Int) -> String? {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"].map { $0 + "/.cache" }
        guard let cache = environment["XDG_CACHE_HOME"] ?? home, cache.hasPrefix("/") else {
            return nil
        }
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        var version = ov_version_t()
        guard ov_get_openvino_version(&version) == OK else { return nil }
        defer { ov_version_free(&version) }
        let parts: [String] = [
            String(cString: version.buildNumber),
            URL(fileURLWithPath: path).standardizedFileURL.path,
            "\(information.st_size) \(information.st_mtim.tv_sec) \(information.st_mtim.tv_nsec)",
            "\(threads)", processor,
        ]
        return cache + "/loopy/networks/" + Digest.of(parts.joined(separator: "\n")).prefix(24)
    }

    /// What the processor can do: several machines may share a home.
    private static let processor: String = {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let told = text.split(separator: "\n").filter {
            $0.hasPrefix("model name") || $0.hasPrefix("flags") || $0.hasPrefix("Features")
        }
        return Set(told).sorted().joined()
    }()
}
