import Errors
import Foundation
import Testing
import Training

@Suite struct EventFileTests {
    @Test func theChecksumIsTheKnownOne() {
        #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    }

    @Test func recordsHoldWhatWasWritten() throws {
        try withFolder { folder in
            let before = Date().timeIntervalSince1970
            let file = try EventFile(folder: folder + "/runs/1")
            try file.scalar("loss/train", 0.3125, step: 300)
            #expect(try records(of: file.path).count == 2)  // there without closing it
            try file.image("faces", png: [1, 2, 3], width: 200, height: 7, step: 1 << 40)
            try file.scalar("ω", -.infinity, step: -1)
            let after = Date().timeIntervalSince1970

            let events = try records(of: file.path).map { try fields($0) }
            #expect(events.count == 4)
            for event in events {
                let time = Double(bitPattern: try number(event, 1))
                #expect((before...after).contains(time))
            }
            #expect(
                events.map { $0.map(\.number) } == [[1, 3], [1, 2, 5], [1, 2, 5], [1, 2, 5]])
            #expect(try text(events[0], 3) == "brain.Event:2")

            #expect(try number(events[1], 2) == 300)
            var value = try message(try message(events[1], 5), 1)
            #expect(value.map(\.number) == [1, 2])
            #expect(try text(value, 1) == "loss/train")
            #expect(Float(bitPattern: UInt32(try number(value, 2))) == 0.3125)

            #expect(try number(events[2], 2) == 1 << 40)
            value = try message(try message(events[2], 5), 1)
            #expect(try text(value, 1) == "faces")
            let image = try message(value, 4)
            #expect(image.map(\.number) == [1, 2, 3, 4])
            #expect(try (1...3).map { try number(image, $0) } == [7, 200, 3])
            #expect(try bytes(image, 4) == [1, 2, 3])

            #expect(Int64(bitPattern: try number(events[3], 2)) == -1)
            value = try message(try message(events[3], 5), 1)
            #expect(try text(value, 1) == "ω")
            #expect(Float(bitPattern: UInt32(try number(value, 2))) == -.infinity)
        }
    }

    @Test func eachRunOpensAFileOfItsOwn() throws {
        try withFolder { folder in
            let files = try (0..<3).map { _ in try EventFile(folder: folder, resumingAt: 5) }
            #expect(Set(files.map(\.path)).count == 3)
            let name = try #require(files[0].path.split(separator: "/").last)
            let parts = name.split(separator: ".")
            #expect(parts.prefix(3) == ["events", "out", "tfevents"])
            #expect(abs(try #require(Double(parts[3])) - Date().timeIntervalSince1970) < 60)
            #expect(parts.last == "0")
            let start = try fields(try #require(try records(of: files[1].path).last))
            #expect(try number(start, 2) == 5)
            #expect(try number(try message(start, 7), 1) == 1)
        }
    }

    @Test func aFolderThatCannotBeIsSaid() throws {
        try withFolder { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/file"))
            let error = #expect(throws: LoopyError.self) {
                _ = try EventFile(folder: folder + "/file")
            }
            #expect(error?.category == .output)
            #expect(error?.message.contains(folder + "/file") == true)
        }
    }

    /// A limit on the size of files stands for a full disk.
    @Test func afterAFullDiskTheFileIsWhole() async {
        await #expect(processExitsWith: .success) {
            try withFolder { folder in
                signal(SIGXFSZ, SIG_IGN)
                let file = try EventFile(folder: folder)
                let fileSize = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
                var limit = rlimit()
                getrlimit(fileSize, &limit)
                limit.rlim_cur = 100
                setrlimit(fileSize, &limit)
                let png = [UInt8](repeating: 7, count: 1000)
                let error = #expect(throws: LoopyError.self) {
                    try file.image("large", png: png, width: 1, height: 1, step: 1)
                }
                #expect(error?.category == .output)
                #expect(error?.message.hasPrefix(file.path + ": writing failed (") == true)
                #expect(try records(of: file.path).count == 1)
                limit.rlim_cur = limit.rlim_max
                setrlimit(fileSize, &limit)
                try file.scalar("loss", 1, step: 2)
                #expect(try records(of: file.path).count == 2)
            }
        }
    }

    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    private static let python = package + "/.deps/python/bin/python"
    private static let hasTensorBoard =
        (try? String(contentsOfFile: package + "/.deps/python/.complete", encoding: .utf8))?
        .contains("tensorboard") == true

    @Test(.enabled(if: hasTensorBoard, "Scripts/setup.sh python"))
    func tensorBoardReadsThem() throws {
        try withFolder { folder in
            let first = try EventFile(folder: folder)
            for step in 0..<4 { try first.scalar("loss/train", 1 / Double(step + 1), step: step) }
            // From step 2 on it is done again.
            let second = try EventFile(folder: folder, resumingAt: 2)
            for step in 2..<5 { try second.scalar("loss/train", Double(step), step: step) }
            try second.image(
                "faces", png: [UInt8](repeating: 5, count: 300), width: 4, height: 6, step: 3)

            let script = """
                import sys
                from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
                events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
                events.Reload()
                for event in events.Scalars("loss/train"):
                    print(event.step, event.value, event.wall_time > 1.7e9)
                for image in events.Images("faces"):
                    same = image.encoded_image_string == b"\\5" * 300
                    print(image.step, image.width, image.height, same)
                """
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Self.python)
            process.arguments = ["-c", script, folder]
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let said = String(
                decoding: try #require(try output.fileHandleForReading.readToEnd()), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(
                said == """
                    0 1.0 True
                    1 0.5 True
                    2 2.0 True
                    3 3.0 True
                    4 4.0 True
                    3 4 6 True

                    """)
        }
    }
}

// MARK: Reading them back

private struct Damage: Error {
    let what: String
}

/// CRC-32C bit by bit, as its definition has it.
private func checksum(_ bytes: [UInt8]) -> UInt32 {
    var remainder = UInt32.max
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 {
            let isOdd = remainder & 1 == 1
            remainder >>= 1
            if isOdd { remainder ^= 0x82F6_3B78 }
        }
    }
    return ~remainder
}

/// The records of a file of TFRecords, whose checksums are right.
private func records(of path: String) throws -> [[UInt8]] {
    var rest = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))[...]
    func take(_ count: Int) throws -> [UInt8] {
        guard rest.count >= count else { throw Damage(what: "the file ends early") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
    func check(_ bytes: [UInt8]) throws {
        let stored = UInt32(littleEndian: try take(4)) &- 0xA282_EAD8
        guard stored << 15 | stored >> 17 == checksum(bytes) else {
            throw Damage(what: "a checksum is wrong")
        }
    }
    var records: [[UInt8]] = []
    while !rest.isEmpty {
        let length = try take(8)
        try check(length)
        records.append(try take(Int(UInt64(littleEndian: length))))
        try check(records.last!)  // just appended
    }
    return records
}

extension FixedWidthInteger {
    fileprivate init(littleEndian bytes: some Collection<UInt8>) {
        self = bytes.reversed().reduce(0) { $0 << 8 | Self($1) }
    }
}

/// A field of a message of protocol buffers: a number, or bytes.
private struct Field {
    let number: Int
    let value: UInt64
    let bytes: [UInt8]?
}

private func fields(_ message: [UInt8]) throws -> [Field] {
    var rest = message[...]
    func variable() throws -> UInt64 {
        guard let last = rest.firstIndex(where: { $0 < 128 }) else {
            throw Damage(what: "a number does not end")
        }
        defer { rest = rest[(last + 1)...] }
        return rest[...last].reversed().reduce(0) { $0 << 7 | UInt64($1 & 127) }
    }
    func take(_ count: Int) throws -> [UInt8] {
        guard rest.count >= count else { throw Damage(what: "a field ends early") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
    var fields: [Field] = []
    while !rest.isEmpty {
        let key = try variable()
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: fields.append(Field(number: number, value: try variable(), bytes: nil))
        case 1:
            fields.append(
                Field(number: number, value: .init(littleEndian: try take(8)), bytes: nil))
        case 2:
            let bytes = try take(Int(try variable()))
            fields.append(Field(number: number, value: 0, bytes: bytes))
        case 5:
            fields.append(
                Field(number: number, value: .init(littleEndian: try take(4)), bytes: nil))
        default: throw Damage(what: "\(key & 7) is no wire type")
        }
    }
    return fields
}

private func field(_ fields: [Field], _ number: Int) throws -> Field {
    guard let found = fields.first(where: { $0.number == number }) else {
        throw Damage(what: "there is no field \(number)")
    }
    return found
}

private func number(_ fields: [Field], _ number: Int) throws -> UInt64 {
    try field(fields, number).value
}

private func bytes(_ fields: [Field], _ number: Int) throws -> [UInt8] {
    guard let bytes = try field(fields, number).bytes else {
        throw Damage(what: "field \(number) holds no bytes")
    }
    return bytes
}

private func text(_ fields: [Field], _ number: Int) throws -> String {
    String(decoding: try bytes(fields, number), as: UTF8.self)
}

private func message(_ parent: [Field], _ number: Int) throws -> [Field] {
    try fields(try bytes(parent, number))
}
