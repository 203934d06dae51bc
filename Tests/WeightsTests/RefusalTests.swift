import Errors
import Foundation
import Testing
import Weights

/// What is no weights says what it is, and what to do.
@Suite struct RefusalTests {
    @Test(arguments: [
        ("evil.pt", "asks to run posix.system: refused"),
        ("evil_legacy.pt", "asks to run posix.system: refused"),
        ("network.pt", "holds a network (torch.nn.modules.linear.Linear)"),
    ])
    func runsNoCode(fixture: String, message: String) {
        let error = #expect(throws: LoopyError.self) { try Checkpoint(fixtures + fixture) }
        #expect(error?.category == .refused)
        #expect(error?.message.contains(message) == true)
        #expect(error?.message.hasPrefix(fixtures + fixture) == true)
        #expect(error?.message.contains("safetensors") == true)
    }

    @Test(arguments: [
        ("uint16.pt", "torch.uint16"), ("complex.pt", "ComplexFloatStorage"),
        ("float8.safetensors", "F8_E4M3"), ("compiled.pt", "TorchScript"),
        ("compressed.pt", "compressed"), ("single.pt", "a single value"),
    ])
    func namesWhatIsNotRead(fixture: String, message: String) {
        let error = #expect(throws: LoopyError.self) { try Checkpoint(fixtures + fixture) }
        #expect(error?.category == .unsupported)
        #expect(error?.message.contains(message) == true)
    }

    @Test func refusesPicklesThatAreNotTorchs() {
        let error = #expect(throws: LoopyError.self) { try Checkpoint(fixtures + "plain.pkl") }
        #expect(error?.category == .refused)
        #expect(
            errorOfOpening([0x80, 2] + "}.".utf8 + [UInt8](repeating: 0, count: 16))?.category
                == .unsupported)
    }

    @Test func refusesDoubleNames() {
        let error = #expect(throws: LoopyError.self) { try Checkpoint(fixtures + "double.pt") }
        #expect(error?.category == .malformed)
        #expect(error?.message.contains("two tensors named a.b") == true)
    }

    @Test(arguments: [
        ("<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        ("\n \u{feff}<html lang=\"en\">", "web page"),
        ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "Git LFS pointer"),
        ("{\"error\": \"Invalid username or password.\"}", "server's error message"),
        ("", "is empty"),
        ("PK", "only 2 bytes"),
    ])
    func knowsFailedDownloads(content: String, message: String) {
        let error = errorOfOpening(content.utf8)
        #expect(error?.category == .malformed)
        #expect(error?.message.contains(message) == true)
        #expect(error?.message.contains("download") == true || message.contains("LFS"))
    }

    @Test func namesTheFirstBytesOfWhatItDoesNotKnow() {
        let error = errorOfOpening("GGUF".utf8 + [UInt8](repeating: 0, count: 60))
        #expect(error?.category == .unsupported)
        #expect(error?.message.contains("47 47 55 46 00 00 00 00") == true)
        var tar = [UInt8](repeating: 0, count: 1024)
        tar.replaceSubrange(257..<262, with: "ustar".utf8)
        #expect(errorOfOpening(tar)?.message.contains("tar archive") == true)
    }

    @Test func saysWhatIsMissing() throws {
        try withFolder { folder in
            let none = #expect(throws: LoopyError.self) { try Checkpoint(folder + "/none") }
            #expect(none?.category == .missing)
            let empty = #expect(throws: LoopyError.self) { try Checkpoint(folder) }
            #expect(empty?.category == .missing)
            for name in CheckpointFolder.names { #expect(empty?.message.contains(name) == true) }
            try #require(mkfifo(folder + "/pipe", 0o600) == 0)
            let pipe = #expect(throws: LoopyError.self) { try Checkpoint(folder + "/pipe") }
            #expect(pipe?.category == .malformed)
        }
    }

    private func errorOfIndex(_ map: String) throws -> LoopyError? {
        try withFolder { folder in
            try write(bytes(of: fixtures + "types.safetensors"), folder + "/a")
            try write("{\"weight_map\": \(map)}".utf8, folder + "/index.json")
            return #expect(throws: LoopyError.self) { try Checkpoint(folder + "/index.json") }
        }
    }

    @Test func checksAnIndexAgainstItsShards() throws {
        let shard = try errorOfIndex(#"{"int8": "a", "x": "b"}"#)
        #expect(shard?.category == .missing)
        #expect(shard?.message.contains("the shard b, which is not beside it") == true)
        let tensor = try errorOfIndex(#"{"int8": "a", "x": "a"}"#)
        #expect(tensor?.category == .malformed)
        #expect(tensor?.message.contains("places tensor x in") == true)
        #expect(try errorOfIndex(#"{"int8": "a", "int8": "a"}"#)?.category == .malformed)
        #expect(try errorOfIndex(#"{"int8": "index.json"}"#)?.category == .refused)
        #expect(try errorOfIndex(#"{"int8": "../a"}"#)?.category == .refused)
        #expect(try errorOfIndex(#"{"int8": "/etc/passwd"}"#)?.category == .refused)
        #expect(try errorOfIndex(#"{"int8": ".."}"#)?.category == .refused)
        #expect(try errorOfIndex(#"{"int8": 3}"#)?.category == .malformed)
    }

    @Test func refusesOtherByteOrders() throws {
        var archive = try bytes(of: fixtures + "protocol3.pt")
        let order = try #require(archive.firstRange(of: Array("little".utf8)))
        archive.replaceSubrange(order, with: "bigbig".utf8)
        #expect(errorOfOpening(archive)?.message.contains("byte order") == true)
        var old = try bytes(of: fixtures + "types_legacy.pt")
        let flag = try #require(old.firstRange(of: Array("little_endian".utf8)))
        // After the name its index in the memo, then True.
        #expect(old[flag.upperBound + 2] == 0x88)
        old[flag.upperBound + 2] = 0x89
        #expect(errorOfOpening(old)?.message.contains("byte order") == true)
    }
}
