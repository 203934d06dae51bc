import Errors
import Foundation
import Storage
import Stores
import TestSupport
import Testing

/// Stores here are folders, which fsspec knows as "local://".
@Suite(.serialized) struct StoresTests {
    init() { usePythonOfTests() }

    @Test(arguments: [
        ("s3://bucket/a", true), ("gs://b", true), ("local:///x", true), ("/videos", false),
        ("file:///caf%E9.mp4", false), ("a://", true), ("://b", false), ("videos/s3:x", false),
    ])
    func addressesAreToldFromPaths(path: String, isAddress: Bool) {
        #expect(ObjectStore.isAddress(path) == isAddress)
    }

    @Test func filesAreListedCopiedAndRemoved() throws {
        try withFolder { folder in
            try write("hello", to: folder + "/a")
            let store = ObjectStore("local://\(folder)/store/")
            #expect(try store.list() == [])
            for name in ["x/b", "x/c", "a"] { try store.put(folder + "/a", as: name) }
            #expect(try store.list().map(\.name) == ["a", "x/b", "x/c"])
            #expect(try store.list("x").map(\.name) == ["x/b", "x/c"])
            #expect(try store.list("x/b").map(\.name) == ["x/b"])
            #expect(try store.list("y") == [])
            #expect(try store.list("a").map(\.bytes) == [5])
            try store.get(store.list("x")) { "\(folder)/copies/\($0.name)" }
            #expect(try names(in: folder + "/copies/x") == ["b", "c"])
            #expect(try bytes(of: folder + "/copies/x/c") == Array("hello".utf8))
            try store.remove(["x/b", "nothing"])
            #expect(try store.list("x").map(\.name) == ["x/c"])
        }
    }

    @Test func aFileIsPutOnlyWhereThereIsNone() throws {
        try withFolder { folder in
            let store = ObjectStore("local://\(folder)/store")
            for text in ["first", "second"] { try write(text, to: "\(folder)/\(text)") }
            #expect(try store.put(folder + "/first", as: "r", isFirst: true))
            #expect(try !store.put(folder + "/second", as: "r", isFirst: true))
            #expect(try bytes(of: folder + "/store/r") == Array("first".utf8))
            // Who did not hear that the first try succeeded tries once more.
            #expect(try store.put(folder + "/first", as: "r", isFirst: true))
        }
    }

    @Test func whatCannotBeDoneIsSaid() throws {
        try withFolder { folder in
            let store = ObjectStore("local://\(folder)/store")
            let missing = try #require(throws: LoopyError.self) {
                try store.get("nothing", to: folder + "/x")
            }
            #expect(missing.category == .missing)
            #expect(try names(in: folder).allSatisfy { !$0.hasPrefix("x") })
            let unknown = try #require(throws: LoopyError.self) {
                try ObjectStore("nosuchstore://b").list()
            }
            #expect(unknown.category == .output)
            #expect(unknown.message.contains("nosuchstore"), "\(unknown)")
        }
    }

    @Test func withoutPythonNoSourceIsToBlame() throws {
        setenv("LOOPY_PYTHON", "no-such-python", 1)
        defer { usePythonOfTests() }
        try withFolder { folder in
            let error = try #require(throws: LoopyError.self) {
                try SourceCopies(folder: folder, gigabytes: 1).open("local:///a", digest: nil)
            }
            #expect(error.category == .output)
            #expect(error.message.contains("LOOPY_PYTHON"))
        }
    }

    // MARK: Sources

    @Test func aSourceIsCopiedOnceAndKeptWhileThereIsRoom() throws {
        try withFolder { folder in
            let texts = ["one": "1111", "two": "2222"]
            for (name, text) in texts { try write(text, to: "\(folder)/\(name)") }
            func read(_ name: String, _ copies: SourceCopies) throws -> String {
                let digest = Digest.of(texts[name] ?? "")
                let file = try copies.open("local://\(folder)/\(name)", digest: digest)
                // A copy that is open can be read, whatever becomes of it.
                copies.removeAll()
                let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
                return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
            }
            func kept() throws -> Int {
                try names(in: folder + "/scratch/sources").count { $0.hasSuffix(".source") }
            }
            let copies = SourceCopies(folder: folder + "/scratch", gigabytes: 7e-9)
            #expect(try read("one", copies) == "1111")
            #expect(try kept() == 0)
            for name in ["one", "two", "two"] {
                close(try copies.open("local://\(folder)/\(name)", digest: nil))
            }
            // There is room for seven bytes.
            #expect(try kept() == 1)
            try FileManager.default.removeItem(atPath: folder + "/two")
            close(try copies.open("local://\(folder)/two", digest: Digest.of("2222")))
        }
    }

    @Test func aSourceThatIsAnotherThanWasIngestedIsAFailure() throws {
        try withFolder { folder in
            try write("changed", to: folder + "/a")
            let copies = SourceCopies(folder: folder + "/scratch", gigabytes: 1)
            let error = try #require(throws: LoopyError.self) {
                try copies.open("local://\(folder)/a", digest: Digest.of("as it was"))
            }
            #expect(error.category == .unreadable)
            #expect(error.message.contains("ingest it again"))
            let gone = try #require(throws: LoopyError.self) {
                try copies.open("local://\(folder)/b", digest: nil)
            }
            #expect(gone.category == .unreadable)
        }
    }

    @Test func aCommandBringsSourcesAndIsTriedAgain() throws {
        try withFolder { folder in
            try write("whole", to: folder + "/a")
            // The first copy is cut short.
            try write(
                """
                echo "$*" >> '\(folder)/calls'
                [ $(wc -l < '\(folder)/calls') -gt 1 ] && cp '\(folder)/a' "$3" || head -c 2 '\(folder)/a' > "$3"
                """, to: folder + "/fetch.sh")
            let copies = SourceCopies(
                folder: folder + "/scratch", gigabytes: 1, command: "bash \(folder)/fetch.sh -q")
            close(try copies.open("some://where/a", digest: Digest.of("whole")))
            let calls = String(decoding: try bytes(of: folder + "/calls"), as: UTF8.self)
            #expect(calls.split(separator: "\n").count == 2)
            #expect(calls.hasPrefix("-q some://where/a \(folder)/scratch/"))
        }
    }
}
