import Errors
import Foundation
import Storage

/// Curves and pictures of a training run, for TensorBoard.
///
/// One file a process: whoever goes on with a run opens another one in the same folder. Each record
/// is in the file when the call that writes it returns. Records are TFRecords
/// (tensorflow/core/lib/io/record_writer.h) of the message Event (tensorflow/core/util/event.proto).
public final class EventFile {
    public let path: String
    private let file: FileHandle
    /// Where the last whole record ends.
    private var end: UInt64 = 0

    /// - Parameters:
    ///   - folder: made where it is missing.
    ///   - step: where a run goes on that wrote to the folder before: TensorBoard forgets what the
    ///     run's files have from that step on.
    /// - Throws: `LoopyError` `.output`.
    public init(folder: String, resumingAt step: Int? = nil) throws {
        try OutputFile.makeFolder(folder)
        (path, file) = try EventFile.create(in: folder)
        try write(Message().bytes(3, "brain.Event:2".utf8), step: nil)
        if let step {
            // A SessionLog whose status is START.
            try write(Message().bytes(7, Message().integer(1, 1).encoded), step: step)
        }
    }

    /// - Parameter tag: "loss/train": what stands before the stroke is the heading.
    /// - Throws: `LoopyError` `.output`. The file stays whole, and can be written to again.
    public func scalar(_ tag: String, _ value: Double, step: Int) throws {
        try write(tag, Message().real(2, Float(value)), step: step)
    }

    /// - Parameters:
    ///   - png: a whole PNG file.
    ///   - width, height: in pixels.
    /// - Throws: as `scalar`.
    public func image(_ tag: String, png: [UInt8], width: Int, height: Int, step: Int) throws {
        let image = Message().integer(1, height).integer(2, width)
            .integer(3, 3)  // the colour space: RGB
            .bytes(4, png)
        try write(tag, Message().bytes(4, image.encoded), step: step)
    }

    private func write(_ tag: String, _ value: Message, step: Int) throws {
        let value = Message().bytes(1, tag.utf8).joined(value)
        let summary = Message().bytes(1, value.encoded)
        try write(Message().bytes(5, summary.encoded), step: step)
    }

    private func write(_ what: Message, step: Int?) throws {
        var event = Message().real(1, Date().timeIntervalSince1970)
        if let step { event = event.integer(2, step) }
        let record = framed(event.joined(what).encoded)
        do {
            try file.write(contentsOf: record)
        } catch {
            // Part of a record would hide all that follow.
            try? file.truncate(atOffset: end)
            throw EventFile.failure("writing", path, error)
        }
        end += UInt64(record.count)
    }

    /// TensorBoard reads a folder's files in the order of their names.
    private static func create(in folder: String) throws -> (path: String, file: FileHandle) {
        let seconds = Int(Date().timeIntervalSince1970)
        let host = ProcessInfo.processInfo.hostName
        for number in 0... {
            let path = "\(folder)/events.out.tfevents.\(seconds).\(host).\(number)"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
            if descriptor >= 0 {
                return (path, FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
            }
            let reason = errno
            guard reason == EEXIST else {
                throw failure(
                    "creating", path, POSIXError(POSIXErrorCode(rawValue: reason) ?? .EIO))
            }
        }
        fatalError("there is always another number")
    }

    private static func failure(_ doing: String, _ path: String, _ error: any Error) -> LoopyError {
        LoopyError(
            .output,
            "\(path): \(doing) failed (\(error.localizedDescription)): is there space, and "
                + "permission?")
    }
}

// MARK: Records

/// Length, its checksum, the bytes, their checksum.
private func framed(_ bytes: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(bytes.count))
    return length + littleEndian(maskedChecksum(length)) + bytes
        + littleEndian(maskedChecksum(bytes))
}

/// CRC-32C, turned and moved as TFRecords have it.
private func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
    let checksum = ~bytes.reduce(~0) { checksum, byte in
        checksumTable[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)] ^ (checksum >> 8)
    }
    return (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
}

private let checksumTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
        value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1
    }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A message of protocol buffers, field after field.
private struct Message {
    private(set) var encoded: [UInt8] = []

    func joined(_ other: Message) -> Message { Message(encoded: encoded + other.encoded) }

    func integer(_ field: Int, _ value: Int) -> Message {
        adding(field, wireType: 0, variable(UInt64(bitPattern: Int64(value))))
    }

    func real(_ field: Int, _ value: Double) -> Message {
        adding(field, wireType: 1, littleEndian(value.bitPattern))
    }

    func real(_ field: Int, _ value: Float) -> Message {
        adding(field, wireType: 5, littleEndian(value.bitPattern))
    }

    func bytes(_ field: Int, _ value: some Collection<UInt8>) -> Message {
        adding(field, wireType: 2, variable(UInt64(value.count)) + value)
    }

    private func adding(_ field: Int, wireType: Int, _ value: [UInt8]) -> Message {
        Message(encoded: encoded + variable(UInt64(field << 3 | wireType)) + value)
    }

    /// Seven bits a byte, the lowest first; the eighth says that there are more.
    private func variable(_ value: UInt64) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }
}
