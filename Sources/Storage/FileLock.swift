import Errors
import Foundation

/// A lock that processes, on one machine or on several that share a file system, take in turn. It is held until it is
/// released, or its process ends.
public final class FileLock: Sendable {
    private let descriptor: Int32

    /// Waits until nobody else holds the lock, and takes it. Its file stays.
    ///
    /// - Parameter onWait: called where somebody else holds it.
    /// - Throws: `LoopyError` `.output` when the file cannot be made or locked.
    public init(_ path: String, onWait: () -> Void = {}) throws {
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw LoopyError.system(.output, "opening it", path) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
        if errno == EWOULDBLOCK { onWait() }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw LoopyError.system(.output, "locking it", path) }
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Holds a lock while `body` runs.
    ///
    /// - Throws: as taking it does; what `body` throws.
    public static func holding<Result>(
        _ path: String, _ body: () throws -> Result
    ) throws -> Result {
        try withExtendedLifetime(FileLock(path), body)
    }
}
