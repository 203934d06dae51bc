import Dataset
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct RecordedPathTests {
    @Test(arguments: ["/videos/a.mp4", "/videos/Zoë 100%41 #1.mp4", "/видео/й.mp4", "a/../b"])
    func aPathOfTextIsRecordedAsItIs(path: String) {
        #expect(RecordedPath(path).bytes == Array(path.utf8))
        #expect(RecordedPath(bytes: Array(path.utf8)).text == path)
    }

    @Test func otherBytesAreRecordedAsAFileURL() {
        let bytes = Array("/videos/caf".utf8) + [0xE9] + Array(" 100%.mp4".utf8)
        let recorded = RecordedPath(bytes: bytes)
        #expect(recorded.text == "file:///videos/caf%E9%20100%25.mp4")
        #expect(RecordedPath(recorded.text).bytes == bytes)
        #expect((recorded.text as NSString).pathExtension == "mp4")
    }

    /// What a shell is told may name folders, and hold keys.
    @Test func whatIsGivenToOthersHoldsNoFoldersAndNoCommands() throws {
        let text =
            #"{"transcript":{"command":"python3 /home/me/asr.py --key x","version":"1"},"weights":"/a/b.onnx"}"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        let shown = String(decoding: value.withoutFolders.line, as: UTF8.self)
        #expect(shown == #"{"transcript":{"version":"1"},"weights":"b.onnx"}"#)
    }

    @Test func everyByteComesBack() {
        let bytes = [UInt8(ascii: "/")] + (1...255).filter { $0 != UInt8(ascii: "/") }
        #expect(RecordedPath(RecordedPath(bytes: bytes).text).bytes == bytes)
    }

    /// Not every text that looks like a URL is one.
    @Test(arguments: ["file://videos/a.mp4", "file:///a%.mp4", "file:///a%F", "file:/a"])
    func whatIsNoFileURLIsAPath(text: String) {
        #expect(RecordedPath(text).bytes == Array(text.utf8))
    }

    @Test func aFileIsReadUnderAnyName() throws {
        try withFolder { folder in
            let path = RecordedPath(folder).appending([0xFF, 0x61])
            let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) }
            try #require(descriptor >= 0)
            #expect(write(descriptor, "hello", 5) == 5)
            close(descriptor)
            let recorded = RecordedPath(path.text)
            for _ in 0..<2 {
                #expect(try recorded.withReadablePath(bytes) == Array("hello".utf8))
            }
            let plain = RecordedPath(folder + "/plain")
            #expect(try plain.withReadablePath { $0 } == folder + "/plain")
        }
    }
}
