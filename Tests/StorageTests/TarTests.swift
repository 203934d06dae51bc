import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct TarTests {
    /// Sizes around the block's, and none at all.
    private static let sizes = [0, 1, 511, 512, 513, 1024, 5000]

    private static func member(_ size: Int) -> (name: String, bytes: [UInt8]) {
        ("member-\(size).bin", (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) })
    }

    private func archive(_ path: String, _ members: [(name: String, bytes: [UInt8])]) throws {
        let file = try OutputFile(path)
        let writer = TarWriter(file)
        for member in members { try writer.add(member.name, member.bytes) }
        try writer.finish()
        try file.commit()
    }

    @Test func givesBackWhatWasAdded() throws {
        try withFolder { folder in
            let members = Self.sizes.map(Self.member)
            try archive(folder + "/a.tar", members)
            let reader = try TarReader(folder + "/a.tar")
            #expect(reader.members.map(\.name) == members.map(\.name))
            #expect(reader.members.map(\.size) == Self.sizes)
            for member in members {
                #expect(try reader.read(member.name) == member.bytes)
                let place = try reader.member(member.name).bytes
                #expect(try Array(bytes(of: reader.path)[place]) == member.bytes)
            }
            #expect(reader.contains("member-511.bin"))
            #expect(!reader.contains("member-2.bin"))
            let error = #expect(throws: LoopyError.self) { try reader.read("member-2.bin") }
            #expect(error?.category == .missing)
            #expect(error?.description.contains("member-2.bin") == true)
        }
    }

    @Test func sameMembersGiveTheSameBytes() throws {
        try withFolder { folder in
            let members = Self.sizes.map(Self.member)
            try archive(folder + "/a.tar", members)
            try archive(folder + "/b.tar", members)
            let first = try bytes(of: folder + "/a.tar")
            #expect(try first == bytes(of: folder + "/b.tar"))
            #expect(first.count % 512 == 0)
            // Seven headers, the members in whole blocks, two blocks at the end.
            #expect(first.count == 512 * (7 + (0 + 1 + 1 + 1 + 2 + 2 + 10) + 2))
        }
    }

    /// Python's tarfile is strict about headers, and what most readers of shards use.
    @Test func isReadByPython() throws {
        try withFolder { folder in
            try archive(folder + "/a.tar", Self.sizes.map(Self.member))
            let script = """
                import hashlib, sys, tarfile
                for m in tarfile.open(sys.argv[1], "r:"):
                    body = tarfile.open(sys.argv[1]).extractfile(m.name).read()
                    print(m.name, m.size, m.mtime, m.uid, oct(m.mode), m.isreg(), 
                          hashlib.sha256(body).hexdigest())
                """
            let (output, status) = try run("python3", "-c", script, folder + "/a.tar")
            let expected = Self.sizes.map(Self.member).map {
                "\($0.name) \($0.bytes.count) 0 0 0o644 True \(Digest.of($0.bytes))\n"
            }
            #expect(status == 0)
            #expect(output == expected.joined())
        }
    }

    @Test func readsWhatPythonWrote() throws {
        try withFolder { folder in
            let script = """
                import io, sys, tarfile
                with tarfile.open(sys.argv[1], "w", format=tarfile.USTAR_FORMAT) as tar:
                    for name, size in ("with a space.txt", 3), ("empty", 0), ("x" * 100, 512):
                        info = tarfile.TarInfo(name)
                        info.size = size
                        tar.addfile(info, io.BytesIO(b"p" * size))
                """
            #expect(try run("python3", "-c", script, folder + "/p.tar").status == 0)
            let reader = try TarReader(folder + "/p.tar")
            let long = String(repeating: "x", count: 100)
            #expect(reader.members.map(\.name) == ["with a space.txt", "empty", long])
            #expect(try reader.read("with a space.txt") == Array("ppp".utf8))
            #expect(try reader.read("empty") == [])
            #expect(try reader.read(long) == [UInt8](repeating: 0x70, count: 512))
        }
    }

    /// As the Python package webdataset does: times with fractions give every member a header more.
    @Test func passesOverWhatIsNoFile() throws {
        try withFolder { folder in
            let script = """
                import io, sys, tarfile
                with tarfile.open(sys.argv[1], "w") as tar:
                    folder = tarfile.TarInfo("clips")
                    folder.type = tarfile.DIRTYPE
                    tar.addfile(folder)
                    for name in "clips/a.txt", "ü.txt", "x" * 150, "y" * 90 + "/" + "z" * 50:
                        info = tarfile.TarInfo(name)
                        info.size = 600
                        info.mtime = 1700000000.25
                        tar.addfile(info, io.BytesIO(name.encode()[:1] * 600))
                """
            #expect(try run("python3", "-c", script, folder + "/p.tar").status == 0)
            let reader = try TarReader(folder + "/p.tar")
            func long(_ letter: String, _ count: Int) -> String {
                String(repeating: letter, count: count)
            }
            let names = [
                "clips/a.txt", "ü.txt", long("x", 150), long("y", 90) + "/" + long("z", 50),
            ]
            #expect(reader.members.map(\.name) == names)
            for name in names {
                let letter = name.utf8.first!  // no name is empty
                #expect(try reader.read(name) == [UInt8](repeating: letter, count: 600))
            }
        }
    }

    @Test func membersAreReadInPartsAndCopied() throws {
        try withFolder { folder in
            let members = Self.sizes.map(Self.member) + [Self.member(3 << 20 + 5)]
            try archive(folder + "/a.tar", members)
            let reader = try TarReader(folder + "/a.tar")
            for range in [0..<0, 0..<10, 500..<5000, 4999..<5001, 5000..<5010, 6000..<7000] {
                let wanted = range.clamped(to: 0..<5000).map { members[6].bytes[$0] }
                #expect(try reader.read("member-5000.bin", range) == wanted)
            }
            let file = try OutputFile(folder + "/b.tar")
            let writer = TarWriter(file)
            for member in members { try reader.copy(member.name, to: writer, as: member.name) }
            try writer.finish()
            try file.commit()
            #expect(try bytes(of: folder + "/a.tar") == bytes(of: folder + "/b.tar"))
        }
    }

    @Test func whatNoArchiveCanHoldIsRefused() throws {
        try withFolder { folder in
            let file = try OutputFile(folder + "/a.tar")
            let writer = TarWriter(file)
            let error = #expect(throws: LoopyError.self) {
                try writer.add("x", size: 1 << 33) { _ in }
            }
            #expect(error?.category == .malformed)
            #expect(error?.description.contains("8 GiB") == true)
            #expect(file.byteCount == 0)
        }
    }

    @Test func aNameMayHave100Bytes() throws {
        try withFolder { folder in
            let name = String(repeating: "n", count: 100)
            try archive(folder + "/a.tar", [(name, [1, 2, 3])])
            #expect(try TarReader(folder + "/a.tar").read(name) == [1, 2, 3])
            #expect(try run("tar", "tf", folder + "/a.tar").output == name + "\n")
        }
    }

    /// Every place at which an archive may be cut short: the error says where a header should be.
    @Test(arguments: [
        (0, 0), (100, 0), (512, 1536), (1536, 1536), (1537, 1536), (2900, 3072), (3072, 3072),
    ])
    func saysWhereAnArchiveIsCutShort(length: Int, place: Int) throws {
        try withFolder { folder in
            // Headers at 0 and 1536, the end at 3072.
            try archive(folder + "/a.tar", [Self.member(1024), Self.member(600)])
            let whole = try bytes(of: folder + "/a.tar")
            #expect(whole.count == 4096)
            try Data(whole[..<length]).write(to: URL(fileURLWithPath: folder + "/cut.tar"))
            let error = #expect(throws: LoopyError.self) { try TarReader(folder + "/cut.tar") }
            #expect(error?.category == .malformed)
            #expect(error?.description.contains("at byte \(place):") == true)
            #expect(error?.description.contains(folder + "/cut.tar") == true)
        }
    }

    @Test func saysWhereAHeaderIsDamaged() throws {
        try withFolder { folder in
            try archive(folder + "/a.tar", [Self.member(1024), Self.member(600)])
            var whole = try bytes(of: folder + "/a.tar")
            whole[1536 + 3] ^= 0x20
            try Data(whole).write(to: URL(fileURLWithPath: folder + "/a.tar"))
            let error = #expect(throws: LoopyError.self) { try TarReader(folder + "/a.tar") }
            #expect(error?.category == .malformed)
            #expect(error?.description.contains("byte 1536") == true)
        }
    }

    /// A header whose sum is right, but whose size is no number: taken for 0, the next header would
    /// be sought inside the member.
    @Test(arguments: ["-0000000001", "not-a-size!"])
    func refusesAMemberWithoutSize(size: String) throws {
        try withFolder { folder in
            try archive(folder + "/a.tar", [Self.member(1024)])
            var whole = try bytes(of: folder + "/a.tar")
            whole.replaceSubrange(124..<135, with: size.utf8)
            whole.replaceSubrange(148..<156, with: "        ".utf8)
            let sum = String(whole[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
            let digits = String(repeating: "0", count: 6 - sum.count) + sum
            whole.replaceSubrange(148..<154, with: digits.utf8)
            try Data(whole).write(to: URL(fileURLWithPath: folder + "/a.tar"))
            let error = #expect(throws: LoopyError.self) { try TarReader(folder + "/a.tar") }
            #expect(error?.category == .malformed)
            #expect(error?.description.contains("byte 0") == true)
        }
    }

    @Test func namesAnArchiveThatIsMissing() throws {
        let error = #expect(throws: LoopyError.self) { try TarReader("/nowhere/a.tar") }
        #expect(error?.category == .missing)
        #expect(error?.description.contains("/nowhere/a.tar") == true)
    }
}
