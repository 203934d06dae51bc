import Errors
import Foundation

/// Locks that processes, on one machine or on several that share a file system, take in turn.
public enum FileLock {
    /// Waits until nobody else holds the lock, and holds it while `body` runs. Its file stays.
    ///
    /// - Throws: `LoopyError` `.output` when the file cannot be made or locked; what `body` throws.
    public static func holding<Result>(
        _ path: String, _ body: () throws -> Result
    ) throws -> Result {
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw LoopyError.system(.output, "opening it", path) }
        // Closing releases the lock, and so does the end of the process.
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw LoopyError.system(.output, "locking it", path) }
        }
        return try body()
    }
}
