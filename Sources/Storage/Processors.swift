import Foundation

/// The processors that this process may use.
public enum Processors {
    /// Those that it may run on, or as many as its control groups give it the time of, where that is less; at
    /// least one.
    public static let available = min(
        ProcessInfo.processInfo.activeProcessorCount,
        quota().map { max(1, Int($0.rounded(.up))) } ?? .max)

    /// The time of how many processors the control groups of this process give it: of version 2
    /// (`cpu.max`) and of version 1 (`cpu.cfs_quota_us`). Nil where they set no limit.
    ///
    /// - Parameter root: where `/proc` and `/sys` are.
    package static func quota(root: String = "") -> Double? {
        let groups = text(root + "/proc/self/cgroup") ?? ""
        var limits: [Double] = []
        for line in groups.split(separator: "\n") {
            // "0::/path", or "4:cpu,cpuacct:/path".
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let controllers = parts[1].split(separator: ",")
            let folder = root + "/sys/fs/cgroup"
            // A group's limits hold for those in it. In a container the path may be the host's.
            for path in ancestors(String(parts[2])) {
                if parts[1].isEmpty {
                    limits += limit(text(folder + path + "/cpu.max"))
                } else if controllers.contains("cpu") {
                    let group = folder + "/" + parts[1] + path
                    let numbers = [
                        text(group + "/cpu.cfs_quota_us"), text(group + "/cpu.cfs_period_us"),
                    ]
                    limits += limit(numbers.compactMap { $0 }.joined(separator: " "))
                }
            }
        }
        return limits.min()
    }

    /// The limit in "QUOTA PERIOD"; none in "max PERIOD" or where the quota is -1.
    private static func limit(_ text: String?) -> [Double] {
        let numbers = (text ?? "").split(whereSeparator: \.isWhitespace).map { Double($0) }
        guard numbers.count == 2, let quota = numbers[0], let period = numbers[1], quota > 0,
            period > 0
        else { return [] }
        return [quota / period]
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

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
