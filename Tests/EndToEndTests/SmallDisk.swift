import Foundation

extension Workbench {
    /// Whether a test may mount a disk that only its own processes see.
    static let mayMountDisks =
        (try? run("/usr/bin/unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status) == 0

    /// The folder in which `loopy(onDiskOf:)` mounts its disk.
    var disk: String { folder + "/disk" }

    /// Runs `loopy` where `disk` is a disk of so many kilobytes.
    func loopy(onDiskOf kilobytes: Int, _ arguments: [String]) throws -> Result {
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        let mount = "mount -t tmpfs -o size=\(kilobytes)k none \"$0\" && exec \"$@\""
        return try Self.run(
            "/usr/bin/unshare",
            ["-rm", "sh", "-c", mount, disk, Self.executables + "/loopy"] + arguments)
    }
}
