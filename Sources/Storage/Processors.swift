import Foundation

/// The processors that this process has, and the memory: the machine's, or what its control groups leave it of them.
public enum Processors {
    /// Those that it may run on, or as many as its control groups give it the time of, where that is less; at
    /// least one.
    public static let available = min(
        ProcessInfo.processInfo.activeProcessorCount,
        quota().map { max(1, Int($0.rounded(.up))) } ?? .max)

    /// The bytes of memory that it may use.
    public static let memory = min(
        Int(clamping: ProcessInfo.processInfo.physicalMemory), memoryLimit() ?? .max)

    /// The time of how many processors the control groups of this process give it: of version 2
    /// (`cpu.max`) and of version 1 (`cpu.cfs_quota_us`). Nil where they set no limit.
    ///
    /// - Parameter root: where `/proc` and `/sys` are.
    package static func quota(root: String = "") -> Double? {
        groups(of: "cpu", root: root).compactMap { group, isVersion2 in
            let files = isVersion2 ? ["/cpu.max"] : ["/cpu.cfs_quota_us", "/cpu.cfs_period_us"]
            return limit(files.compactMap { text(group + $0) }.joined(separator: " "))
        }.min()
    }

    /// The bytes that the control groups of this process give it: of version 2 (`memory.max`) and of version 1
    /// (`memory.limit_in_bytes`). Nil where they set no limit.
    ///
    /// - Parameter root: where `/proc` and `/sys` are.
    package static func memoryLimit(root: String = "") -> Int? {
        groups(of: "memory", root: root).compactMap(memoryLimit).min()
    }

    /// The bytes of memory that the control groups leave; what files have in memory makes room. Nil where they
    /// set no limit.
    ///
    /// - Parameter root: where `/proc` and `/sys` are.
    package static func memoryLeft(root: String = "") -> Int? {
        groups(of: "memory", root: root).compactMap { group, isVersion2 in
            guard let limit = memoryLimit(group, isVersion2),
                let used = number(
                    group + (isVersion2 ? "/memory.current" : "/memory.usage_in_bytes"))
            else { return nil }
            let words = (text(group + "/memory.stat") ?? "").split { $0 == " " || $0 == "\n" }
            let files = ["inactive_file", "active_file"].map { name -> Int in
                let name = isVersion2 ? name : "total_" + name
                guard let place = words.firstIndex(where: { $0 == name }) else { return 0 }
                return words.dropFirst(place + 1).first.flatMap { Int($0) } ?? 0
            }.reduce(0, +)
            return max(0, limit - max(0, used - files))
        }.min()
    }

    private static func memoryLimit(_ group: String, _ isVersion2: Bool) -> Int? {
        number(group + (isVersion2 ? "/memory.max" : "/memory.limit_in_bytes"))
    }

    /// The folders of this process's control groups that may limit something, and those above them, whose limits
    /// hold for it as well.
    private static func groups(
        of controller: Substring, root: String
    ) -> [(folder: String, isVersion2: Bool)] {
        let groups = text(root + "/proc/self/cgroup") ?? ""
        return groups.split(separator: "\n").flatMap {
            line -> [(folder: String, isVersion2: Bool)] in
            // "0::/path", or "4:cpu,cpuacct:/path".
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let isVersion2 = parts[1].isEmpty
            guard isVersion2 || parts[1].split(separator: ",").contains(controller) else {
                return []
            }
            let folder = root + "/sys/fs/cgroup" + (isVersion2 ? "" : "/" + parts[1])
            // In a container the path may be the host's.
            return ancestors(String(parts[2])).map { (folder + $0, isVersion2) }
        }
    }

    /// The limit in "QUOTA PERIOD"; none in "max PERIOD" or where the quota is -1.
    private static func limit(_ text: String) -> Double? {
        let numbers = text.split(whereSeparator: \.isWhitespace).map { Double($0) }
        guard numbers.count == 2, let quota = numbers[0], let period = numbers[1], quota > 0,
            period > 0
        else { return nil }
        return quota / period
    }

    /// "/a/b", "/a", "".
    private static func ancestors(_ path: String) -> [String] {
        var path = path[...]
        var all: [String] = []
        while let slash = path.lastIndex(of: "/") {
            if path.count > 1 { all.append(String(path)) }
            path = path[..<slash]
        }
        return all + [""]
    }

    private static func number(_ path: String) -> Int? {
        text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
