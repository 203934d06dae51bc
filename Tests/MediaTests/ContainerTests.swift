import Errors
import Foundation
import Media
import Testing

@Suite struct ContainerTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// Texts that name another file, which stands for TARGET here.
    static let playlists = [
        "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nTARGET\n#EXT-X-ENDLIST\n",
        "m3u": "#EXTM3U\nTARGET\n",
        "ffconcat": "ffconcat version 1.0\nfile 'TARGET'\n",
        "mpd": """
        <?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
        mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4">
        <Representation id="1" bandwidth="9"><BaseURL>TARGET</BaseURL>
        </Representation></AdaptationSet></Period></MPD>
        """,
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5 RTP/AVP 96\n",
        "text": "just a few words about TARGET\n",
    ]

    @Test("files that name other files are refused", arguments: playlists.keys.sorted())
    func namesOthers(kind: String) throws {
        let text = try #require(Self.playlists[kind])
        let target = try folder.make(
            "target.mp4", Counter.input(frames: 5) + words("-c:v libx264"))
        for named in [target, "target.mp4"] {
            for name in ["renamed.mp4", "kept." + kind] {
                let path = try folder.write(name, text.replacing("TARGET", with: named).utf8)
                #expect(errorCode { _ = try MediaProbe(path: path) } == .notMedia)
                #expect(errorCode { _ = try VideoReader(path: path) } == .notMedia)
                #expect(
                    errorCode { _ = try AudioReader.read(path: path, start: 0, count: 9) }
                        == .notMedia)
            }
        }
    }

    @Test("what is no file or has no media says which")
    func notMedia() throws {
        func code(_ path: String) -> LoopyError.Category? {
            errorCode { _ = try MediaProbe(path: path) }
        }
        #expect(code(folder.file("missing.mp4")) == .unreadable)
        #expect(code(folder.path) == .unreadable)
        #expect(code(try folder.write("empty.mp4", [])) == .notMedia)
        #expect(
            code(try folder.write("zeros.mp4", [UInt8](repeating: 0, count: 9000))) == .notMedia)
        for kind in ["png", "jpg", "gif"] {
            let picture = try folder.make(
                "picture.\(kind)", words("-f lavfi -i testsrc=s=32x32 -frames:v 1"))
            let renamed = try folder.write("renamed.mp4", try folder.bytes(picture))
            #expect(code(renamed) == .notMedia)
        }
        for name in ["sound.wav", "sound.m4a", "sound.mp3", "sound.ogg"] {
            #expect(code(try folder.make(name, words("-f lavfi -i sine=d=1"))) == .noVideo)
        }
    }

    @Test("cover art is no video", arguments: ["m4a", "mp3"])
    func coverArt(container: String) throws {
        let path = try folder.make(
            "cover.\(container)",
            words("-f lavfi -i sine=d=1 -f lavfi -i testsrc=s=64x64:d=0.04 -map 0 -map 1")
                + words("-c:v mjpeg -disposition:v attached_pic"))
        #expect(errorCode { _ = try MediaProbe(path: path) } == .noVideo)
        #expect(try AudioReader.read(path: path, start: 0, count: 8000).contains { abs($0) > 0.05 })
    }

    @Test("a film with cover art is the film")
    func coverArtBesideVideo() throws {
        let path = try folder.make(
            "film.mp4",
            words("-f lavfi -i testsrc=s=640x480:d=0.04") + Counter.input(frames: 3)
                + words("-map 0 -map 1 -c:v:0 mjpeg -c:v:1 libx264 -disposition:v:0 attached_pic"))
        #expect(try MediaProbe(path: path).video.codec == "h264")
        #expect(numbers(try readAll(VideoReader(path: path))) == [0, 1, 2])
    }

    @Test("truncated files give what is left, or say that nothing is")
    func truncated() throws {
        let input = Counter.input(frames: 100) + words("-c:v libx264 -g 25")
        func cut(_ name: String, _ options: String) throws -> String {
            let bytes = try folder.bytes(try folder.make(name, input + words(options)))
            return try folder.write("cut-" + name, bytes.prefix(bytes.count * 6 / 10))
        }
        let headless = try cut("plain.mp4", "")
        #expect(errorCode { _ = try MediaProbe(path: headless) } == .notMedia)
        for path in [
            try cut("fast.mp4", "-movflags +faststart"), try cut("plain.mkv", ""),
            try cut("plain.ts", "-f mpegts"),
        ] {
            let probe = try MediaProbe(path: path)
            let read = numbers(try readAll(VideoReader(path: path)))
            #expect((20..<90).contains(read.count))
            #expect(Array(read.prefix(20)) == Array(0..<20))
            // The packet that is cut in two may be decoded or not.
            #expect(abs(probe.video.gridFrames - read.count) <= 1)
            if !path.hasSuffix("ts") { #expect(probe.duration - probe.lastPacketEnd > 0.8) }
        }
    }

    @Test("gigantic pictures are refused before memory is taken for them")
    func gigantic() throws {
        var bytes = try folder.bytes(
            try folder.make("small.mp4", Counter.input(frames: 3) + words("-c:v libx264")))
        let entry = try #require(
            bytes.indices.last { bytes[$0...].starts(with: Array("avc1".utf8)) })
        bytes.replaceSubrange((entry + 28)..<(entry + 32), with: [0x3f, 0xff, 0x3f, 0xff])
        let patched = try folder.write("patched.mp4", bytes)
        #expect(errorCode { _ = try MediaProbe(path: patched) } == .tooLarge)

        // An IVF header and one VP8 key frame that both claim 16383x16383.
        let header =
            Array("DKIF".utf8) + [0, 0, 32, 0] + Array("VP80".utf8) + [0xff, 0x3f, 0xff, 0x3f]
            + [25, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        let frame: [UInt8] =
            [0x50, 0x10, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f]
            + [UInt8](repeating: 0x55, count: 200)
        let packet = [UInt8(frame.count), 0, 0, 0] + [UInt8](repeating: 0, count: 8) + frame
        let path = try folder.write("huge.ivf", header + packet)
        #expect(errorCode { _ = try MediaProbe(path: path) } == .tooLarge)

        var limits = MediaLimits()
        limits.maximumSide = 50
        let plain = folder.file("small.mp4")
        #expect(errorCode { _ = try VideoReader(path: plain, limits: limits) } == .tooLarge)
        limits = MediaLimits()
        limits.maximumDuration = 0.05
        #expect(errorCode { _ = try MediaProbe(path: plain, limits: limits) } == .tooLarge)
    }

    @Test(
        "any file name is only a name",
        arguments: [
            "a:b.mp4", "with spaces.mp4", "ünï-日本-🎬.mp4", "%d.mp4", "%03d.mp4", "-leading.mp4",
            "concat:a|b.mp4", "http:x.mp4", "pipe:0", "a,b;[c]'d\".mp4", "*?.mp4", "no-extension",
        ])
    func names(name: String) throws {
        let source = try folder.make("s.mp4", Counter.input(frames: 3) + words("-c:v libx264"))
        let bytes = try folder.bytes(source)
        let path = try folder.write(name, bytes)
        #expect(try MediaProbe(path: path).video.gridFrames == 3)
        let member = try VideoReader(path: path, bytes: 0..<bytes.count)
        #expect(numbers(try readAll(member)) == [0, 1, 2])
    }

    @Test("an error names the file and the reason")
    func errorText() throws {
        let path = try folder.write("empty.mp4", [])
        do {
            _ = try MediaProbe(path: path)
            Issue.record("an empty file was read")
        } catch {
            #expect("\(error)".contains(path) && "\(error)".contains("empty"))
        }
    }
}
