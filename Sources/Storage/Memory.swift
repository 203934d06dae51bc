import Foundation

/// This machine's memory.
public enum Memory {
    /// The bytes that this process can have without swapping, and without going beyond its control groups'
    /// limits; nil where the system does not say it.
    public static var available: Int? {
        free.map { min($0, Processors.memoryLeft() ?? .max) }
    }

    private static var free: Int? {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let kibibytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return nil }
        return kibibytes << 10
    }
}
