import CSndfile
import Foundation

/// Bytes that libsndfile takes for a file. Belongs to one thread at a time.
class VirtualFile {
    fileprivate(set) var position = 0

    var count: Int { 0 }

    /// - Returns: how many bytes were read; fewer than wanted at the end.
    fileprivate func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int { 0 }

    /// - Returns: how many bytes were written.
    fileprivate func write(_ buffer: UnsafeRawBufferPointer) -> Int { 0 }

    fileprivate func seek(_ offset: Int, _ origin: Int32) -> Int {
        let base = origin == SEEK_SET ? 0 : origin == SEEK_CUR ? position : count
        let (sum, overflows) = base.addingReportingOverflow(offset)
        guard !overflows, sum >= 0 else { return -1 }
        position = sum
        return position
    }

    /// What libsndfile calls, with a `VirtualFile` for its user data.
    static var callbacks: SF_VIRTUAL_IO {
        SF_VIRTUAL_IO(
            get_filelen: { sf_count_t(file($0).count) },
            seek: { sf_count_t(file($2).seek(Int($0), $1)) },
            read: {
                sf_count_t(
                    file($2).read(UnsafeMutableRawBufferPointer(start: $0, count: Int($1))))
            },
            write: {
                sf_count_t(file($2).write(UnsafeRawBufferPointer(start: $0, count: Int($1))))
            },
            tell: { sf_count_t(file($0).position) })
    }
}

private func file(_ data: UnsafeMutableRawPointer?) -> VirtualFile {
    // libsndfile gives back what it was given, and the owner of its handle holds that as long.
    Unmanaged<VirtualFile>.fromOpaque(data!).takeUnretainedValue()
}

/// A file, or the part of one that is a file in an archive.
final class FileBytes: VirtualFile {
    private let descriptor: Int32
    private let range: Range<Int>

    /// - Parameter range: nil for the whole file.
    /// - Returns: nil when the file cannot be opened; `errno` says why.
    init?(path: String, range: Range<Int>?) {
        let opened = open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { return nil }
        descriptor = opened
        var information = stat()
        let size = fstat(opened, &information) == 0 ? Int(information.st_size) : 0
        self.range = (range ?? 0..<size).clamped(to: 0..<size)
    }

    deinit { close(descriptor) }

    override var count: Int { range.count }

    /// The first bytes, by which formats are told apart.
    func beginning(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = self.read(UnsafeMutableRawBufferPointer(buffer))
            position = 0
        }
    }

    override fileprivate func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let wanted = min(buffer.count, range.count - position)
        guard wanted > 0 else { return 0 }
        let read = pread(descriptor, buffer.baseAddress, wanted, range.lowerBound + position)
        position += max(0, read)
        return max(0, read)
    }
}

/// A file in memory.
final class MemoryBytes: VirtualFile {
    private(set) var bytes: [UInt8] = []

    override var count: Int { bytes.count }

    override fileprivate func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard position < bytes.count else { return 0 }
        let end = min(bytes.count, position + buffer.count)
        buffer.copyBytes(from: bytes[position..<end])
        defer { position = end }
        return end - position
    }

    override fileprivate func write(_ buffer: UnsafeRawBufferPointer) -> Int {
        let end = position + buffer.count
        if bytes.count < end {
            bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
        }
        bytes.replaceSubrange(position..<end, with: buffer)
        position = end
        return buffer.count
    }
}
