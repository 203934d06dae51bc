import Errors
import Foundation

/// A file in memory, read from the disk page by page as it is used.
///
/// The pages are private and writable: changing them changes no file, and nobody else's copy. A file
/// that somebody shortens while it is mapped stops the process at the next read; writers that
/// replace a file whole, as Loopy's do, are harmless.
public final class MappedFile {
    public let path: String
    /// Valid as long as this object lives.
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `LoopyError` `.missing` where it cannot be opened, `.malformed` where it is empty
    ///   or no file.
    public init(_ path: String) throws {
        // O_NONBLOCK: opening a pipe would wait for its writer otherwise.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw LoopyError(.missing, "\(path): the weights cannot be opened (\(reason))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw LoopyError(.malformed, "\(path): is not a file of weights, nor any file")
        }
        let count = Int(status.st_size)
        guard count > 0 else {
            throw LoopyError(
                .malformed, "\(path): is empty: the download failed; delete it and download again")
        }
        // MAP_NORESERVE: a writable mapping counts against memory otherwise, and a checkpoint larger
        // than the machine's memory is refused although nobody writes to it.
        let address = mmap(
            nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            let reason = String(cString: strerror(errno))
            throw LoopyError(.missing, "\(path): cannot be mapped into memory (\(reason))")
        }
        self.path = path
        bytes = UnsafeRawBufferPointer(start: address, count: count)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
