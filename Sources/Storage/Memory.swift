import Foundation

/// This machine's memory.
public enum Memory {
    /// The bytes that programs can have without swapping; nil where the system does not say it.
    public static var available: Int? {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let kibibytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return nil }
        return kibibytes << 10
    }
}
