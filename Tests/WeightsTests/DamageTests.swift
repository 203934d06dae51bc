import Errors
import Foundation
import Testing
import Weights

/// Nothing that a file holds may stop the process.
@Suite struct DamageTests {
    private static let small = [
        "types.safetensors", "views.pt", "views_legacy.pt", "python2_legacy.pt", "protocol4.pt",
        "sharded/model-00001-of-00002.safetensors", "evil.pt", "network.pt",
    ]

    @Test(arguments: small)
    func everyPrefixIsRefused(fixture: String) throws {
        let whole = try bytes(of: fixtures + fixture)
        try withFolder { folder in
            try write(whole, folder + "/cut")
            for length in whole.indices.reversed() {
                try #require(truncate(folder + "/cut", length) == 0)
                #expect(throws: LoopyError.self, "cut after \(length) bytes") {
                    try Checkpoint(folder + "/cut")
                }
            }
        }
    }

    @Test func everyPrefixOfAnIndexIsRefused() throws {
        let folder = fixtures + "sharded/"
        let whole = try bytes(of: folder + "model.safetensors.index.json")
        for length in whole.indices { _ = errorOfOpening(whole.prefix(length)) }
    }

    @Test(arguments: ["types.safetensors", "views.pt", "views_legacy.pt"])
    func cutDownloadsAreNamed(fixture: String) throws {
        let whole = try bytes(of: fixtures + fixture)
        let error = errorOfOpening(whole.dropLast(3))
        #expect(error?.category == .malformed)
        #expect(error?.message.contains("the download was cut short") == true)
    }

    @Test(arguments: small + ["sharded/model.safetensors.index.json"])
    func changedBytesAreReadOrRefused(fixture: String) throws {
        let whole = try bytes(of: fixtures + fixture)
        var state: UInt64 = 1
        func random(below bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        try withFolder { folder in
            for _ in 0..<300 {
                var changed = whole
                for _ in 0...random(below: 3) {
                    let index = random(below: whole.count)
                    changed[index] =
                        random(below: 2) == 0
                        ? changed[index] ^ (1 << random(below: 8)) : UInt8(random(below: 256))
                }
                try write(changed, folder + "/changed")
                do {
                    let checkpoint = try Checkpoint(folder + "/changed")
                    for name in checkpoint.names { _ = checkpoint.tensor(name)?.copied }
                } catch is LoopyError {}
            }
        }
    }

    /// A member of a header.
    private static func member(
        _ name: String = "a", _ type: String = "U8", shape: String, offsets: String
    ) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
    }

    private static let two = member(shape: "2", offsets: "0,2")
    private static let huge = "9223372036854775807"
    private static let large = "1152921504606846975"

    /// Inside the braces of a header; how many bytes follow it; what the message must say.
    private static let headers: [(String, Int, String)] = [
        (two, 1, "cut short"),
        (two, 3, "1 bytes after"),
        (member(shape: "2", offsets: "1,3"), 3, "follows a gap"),
        (two + "," + member("b", shape: "2", offsets: "1,3"), 3, "b overlaps"),
        (two + "," + member(shape: "1", offsets: "2,3"), 3, "two tensors named a"),
        (member("a", "F32", shape: "2", offsets: "0,7"), 7, "7 bytes, not 8"),
        (member(shape: "2", offsets: "2,0"), 2, "cannot be"),
        (member(shape: "2", offsets: "2"), 2, "cannot be"),
        (#""a":{"dtype":"U8","shape":[2]}"#, 2, "cannot be"),
        (member(shape: "-2", offsets: "0,2"), 2, "whole number"),
        (member(shape: "2.0", offsets: "0,2"), 2, "lacks a ']'"),
        (member(shape: "4294967296,4294967296,0", offsets: "0,0"), 0, "cannot be"),
        (member(shape: "99999999999999999999", offsets: "0,2"), 2, "too large"),
        (member(shape: huge, offsets: "0," + huge), 2, "cannot be"),
        (member(shape: large, offsets: "0," + large), 2, "cut short"),
        (member(shape: String(repeating: "1,", count: 64) + "1", offsets: "0,1"), 1, "too long"),
        (#""a":3"#, 0, "lacks a '{'"),
        (#""__metadata__":{"a":3}"#, 0, "lacks a '\"'"),
        (#""__metadata__":{"a":"3","a":"4"}"#, 0, "twice"),
        (#""__metadata__":{},"__metadata__":{}"#, 0, "twice"),
        (#""a\"#, 0, "unknown escape"),
        (#""a"#, 0, "ends in the middle"),
        (#""\ud800":{}"#, 0, "half a character"),
        (#""\x":{}"#, 0, "unknown escape"),
        ("} {", 0, "after its end"),
        (#""a":{"x":"# + String(repeating: "[", count: 100_000), 0, "nested too deeply"),
    ]

    @Test(arguments: headers)
    func headersThatCannotBeAreRefused(header: String, elements: Int, message: String) {
        let error = errorOfOpening(safeTensors("{\(header)}", elements: elements))
        #expect(error?.category == .malformed)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test func headersOfAnyLengthAreRefused() {
        let rest = Array("{}".utf8) + [UInt8](repeating: 0, count: 64)
        #expect(
            errorOfOpening(littleEndian(UInt64.max) + rest)?.message.contains("more than")
                == true)
        #expect(
            errorOfOpening(littleEndian(UInt64(100_000_001)) + rest)?.message
                .contains("more than 100000000") == true)
        #expect(
            errorOfOpening(littleEndian(UInt64(100_000_000)) + rest)?.message
                .contains("the file has 74") == true)
        #expect(errorOfOpening(littleEndian(UInt64(0)) + rest)?.category == .malformed)
    }
}
