import Dataset
import Errors
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct OutputFileTests {
    @Test func isAbsentUntilItIsCommitted() throws {
        try withFolder { folder in
            let path = folder + "/a/b/file.bin"
            let file = try OutputFile(path)
            try file.write(Array("hello".utf8))
            #expect(!FileManager.default.fileExists(atPath: path))
            let digest = try file.commit()
            #expect(try bytes(of: path) == Array("hello".utf8))
            #expect(file.byteCount == 5)
            // sha256sum of "hello"
            #expect(
                digest == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
            #expect(try names(in: folder + "/a/b") == ["file.bin"])
        }
    }

    @Test func isRemovedWhenItIsNeverCommitted() throws {
        try withFolder { folder in
            func abandon() throws {
                let file = try OutputFile(folder + "/file")
                try file.write([UInt8](repeating: 1, count: 1 << 20))
                #expect(try names(in: folder).count == 1)
            }
            try abandon()
            #expect(try names(in: folder) == [])
        }
    }

    @Test func replacesAFormerFileOnlyWhenItIsCommitted() throws {
        try withFolder { folder in
            let path = folder + "/file"
            try OutputFile.write(Array("old".utf8), to: path)
            let file = try OutputFile(path)
            try file.write(Array("new".utf8))
            #expect(try bytes(of: path) == Array("old".utf8))
            try file.commit()
            #expect(try bytes(of: path) == Array("new".utf8))
        }
    }

    @Test func digestsPiecesLargerThanItsBuffer() throws {
        try withFolder { folder in
            let content = (0..<(700_001)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try OutputFile(folder + "/file")
            try file.write(content[..<3])
            try file.write(content[3..<600_000])
            try file.write(content[600_000...])
            let digest = try file.commit()
            #expect(try bytes(of: folder + "/file") == content)
            #expect(digest == Digest.of(content))
            #expect(try Digest.ofFile(folder + "/file") == digest)
        }
    }

    @Test func goesBackToAMark() throws {
        try withFolder { folder in
            let content = (0..<600_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try OutputFile(folder + "/file")
            try file.write(content[..<300_000])
            let mark = try file.mark()
            for end in [300_000, 300_010, 590_000] {
                try file.write(content[300_000..<end].reversed())
                try file.rewind(to: mark)
                #expect(file.byteCount == 300_000)
            }
            try file.write(content[300_000...])
            let digest = try file.commit()
            #expect(try bytes(of: folder + "/file") == content)
            #expect(digest == Digest.of(content))
        }
    }

    /// Writing through a link to /dev/full is what writing to a full disk is.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "no /dev/full here"))
    func saysThatTheDiskIsFullAndLeavesNothing() throws {
        try withFolder { folder in
            let path = folder + "/file"
            try FileManager.default.createSymbolicLink(
                atPath: OutputFile.temporaryPath(of: path, process: getpid()),
                withDestinationPath: "/dev/full")
            func fill() throws {
                let file = try OutputFile(path)
                try file.write([UInt8](repeating: 1, count: 1000))
                try file.commit()
            }
            let error = #expect(throws: LoopyError.self) { try fill() }
            #expect(error?.category == .output)
            #expect(error?.description.contains(path) == true)
            #expect(error?.description.contains("free some space") == true)
            #expect(try names(in: folder) == [])
        }
    }

    @Test func leavesNothingWhenItCannotTakeItsName() throws {
        try withFolder { folder in
            let path = folder + "/taken"
            try FileManager.default.createDirectory(
                atPath: path + "/inside", withIntermediateDirectories: true)
            let file = try OutputFile(path)
            let error = #expect(throws: LoopyError.self) { try file.commit() }
            #expect(error?.category == .output)
            #expect(try names(in: folder) == ["taken"])
        }
    }

    @Test func namesTheFolderThatCannotBeMade() throws {
        try withFolder { folder in
            try write("a file", to: folder + "/file")
            let error = #expect(throws: LoopyError.self) {
                try OutputFile(folder + "/file/below/it")
            }
            #expect(error?.category == .output)
            #expect(error?.description.contains(folder + "/file") == true)
        }
    }

    /// A process that has ended and been waited for is gone.
    private func deadProcess() throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/true")
        try process.run()
        process.waitUntilExit()
        return process.processIdentifier
    }

    /// Killed while the catalogue or a list was written: the next stage to end clears that away.
    @Test func theDatasetsOwnFolderIsClearedToo() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            try JSONLines.write([Source](), to: dataset.sourcesFile)
            let dead = try deadProcess()
            for file in [dataset.catalogueFile, dataset.selectionFile] {
                try write("half", to: OutputFile.temporaryPath(of: file, process: dead))
            }
            try dataset.collectFailures()
            #expect(try names(in: folder) == ["failures.jsonl", "sources.jsonl"])
        }
    }

    @Test func removesWhatDeadProcessesLeft() throws {
        try withFolder { folder in
            let dead = OutputFile.temporaryPath(of: "a.tar", process: try deadProcess())
            // Process 1 is alive, and may be another user's.
            let kept = [
                "b.tar.partial-1", OutputFile.temporaryPath(of: "c.tar", process: getpid()),
                "d.tar", "e.partial-x",
            ]
            // A program that it started wrote for it.
            for name in kept + [dead, dead + ".partial-9"] {
                try write("", to: folder + "/" + name)
            }
            OutputFile.removeAbandoned(in: folder)
            #expect(try names(in: folder) == kept.sorted())
        }
    }
}
