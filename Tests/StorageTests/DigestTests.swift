import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct DigestTests {
    /// FIPS 180-2, appendix B.
    @Test func agreesWithTheStandard() throws {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(Digest.of("abc") == abc)
        #expect(Digest.of(Array("abc".utf8)) == abc)
        #expect(
            Digest.of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func ofAFileIsOfItsBytes() throws {
        try withFolder { folder in
            let content = [UInt8](repeating: 0x61, count: (1 << 20) + 17)
            try Data(content).write(to: URL(fileURLWithPath: folder + "/file"))
            #expect(try Digest.ofFile(folder + "/file") == Digest.of(content))
            let error = #expect(throws: LoopyError.self) {
                try Digest.ofFile(folder + "/none")
            }
            #expect(error?.category == .missing)
            #expect(throws: LoopyError.self) { try Digest.ofFile(folder) }
        }
    }
}

@Suite struct FingerprintTests {
    private func fingerprint(
        name: String = "video", version: Int = 1, configuration: [String: Int] = ["size": 512],
        files: [String: String] = ["detector": "aa"], inputs: [String: String] = ["audio": "bb"]
    ) throws -> Fingerprint {
        try Fingerprint(
            name: name, version: version, configuration: configuration, files: files,
            inputs: inputs)
    }

    @Test func changesWithEveryPart() throws {
        let all = try [
            fingerprint(), fingerprint(name: "audio"), fingerprint(version: 2),
            fingerprint(configuration: ["size": 256]), fingerprint(configuration: [:]),
            fingerprint(files: ["detector": "ab"]), fingerprint(files: ["landmarks": "aa"]),
            fingerprint(inputs: ["audio": "bc"]), fingerprint(inputs: ["video": "bb"]),
            fingerprint(files: [:], inputs: ["audio": "bb", "detector": "aa"]),
        ]
        #expect(Set(all.map(\.digest)).count == all.count)
        #expect(all[0].short == all[0].digest.prefix(8))
    }

    @Test func doesNotChangeWithTheOrderOfKeys() throws {
        // Dictionaries of different capacity and history list their keys in different orders.
        let keys = (0..<50).map { "key\($0)" }
        var forward: [String: String] = [:]
        var backward = [String: String](minimumCapacity: 1000)
        for key in keys { forward[key] = key }
        for key in keys.reversed() { backward[key] = key }
        #expect(Array(forward.keys) != Array(backward.keys))
        #expect(
            try fingerprint(files: forward, inputs: backward)
                == fingerprint(files: backward, inputs: forward))
    }

    @Test func readsItselfBack() throws {
        let made = try fingerprint()
        let line = try JSONLines.line(made)
        #expect(try JSONDecoder().decode(Fingerprint.self, from: Data(line)) == made)
    }
}

@Suite struct JSONLinesTests {
    private struct Entry: Codable, Equatable {
        var zebra: Int
        var path: String
    }

    @Test func keysAreInOrderAndSlashesPlain() throws {
        let line = try JSONLines.line(Entry(zebra: 1, path: "/a/b\n"))
        #expect(String(decoding: line, as: UTF8.self) == #"{"path":"/a/b\n","zebra":1}"# + "\n")
    }

    @Test func givesBackWhatWasWritten() throws {
        try withFolder { folder in
            let entries = (0..<100).map { Entry(zebra: $0, path: "película \($0) 影片") }
            try JSONLines.write(entries, to: folder + "/list.jsonl")
            #expect(try JSONLines.read(Entry.self, from: folder + "/list.jsonl") == entries)
            try JSONLines.writeDocument(entries[3], to: folder + "/one.json")
            let one = try JSONLines.readDocument(Entry.self, from: folder + "/one.json")
            #expect(one == entries[3])
        }
    }

    @Test(arguments: [
        ("{\"zebra\":1,\"path\":\"a\"}\n{\"zebra\":\n", 2), ("nothing\n", 1),
        ("\n\n{\"zebra\":1,\"path\":\"a\"}\n\n{\"zebra\":true}\n", 5),
    ])
    func namesTheLineThatCannotBeRead(text: String, line: Int) throws {
        try withFolder { folder in
            let path = folder + "/list.jsonl"
            try write(text, to: path)
            let error = #expect(throws: LoopyError.self) {
                try JSONLines.read(Entry.self, from: path)
            }
            #expect(error?.category == .malformed)
            #expect(error?.message.hasPrefix("\(path), line \(line):") == true)
        }
    }

    /// Long files are decoded in pieces: the order stays, and the first bad line is named.
    @Test func longFilesAreReadInOrder() throws {
        try withFolder { folder in
            let path = folder + "/list.jsonl"
            let entries = (0..<2003).map { Entry(zebra: $0, path: "\($0)") }
            try JSONLines.write(entries, to: path)
            #expect(try JSONLines.read(Entry.self, from: path) == entries)
            var lines = try String(contentsOfFile: path, encoding: .utf8)
                .split(separator: "\n").map(String.init)
            lines[1502] = "{}"
            lines[1990] = "{}"
            try write(lines.joined(separator: "\n"), to: path)
            let error = #expect(throws: LoopyError.self) {
                try JSONLines.read(Entry.self, from: path)
            }
            #expect(error?.message.hasPrefix("\(path), line 1503:") == true)
        }
    }

    @Test func emptyAndMissingFilesDiffer() throws {
        try withFolder { folder in
            try write("", to: folder + "/empty.jsonl")
            #expect(try JSONLines.read(Entry.self, from: folder + "/empty.jsonl") == [])
            let error = #expect(throws: LoopyError.self) {
                try JSONLines.read(Entry.self, from: folder + "/none.jsonl")
            }
            #expect(error?.category == .missing)
            #expect(error?.description.contains("none.jsonl") == true)
        }
    }
}
