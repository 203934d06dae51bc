import Errors
import Foundation
import Media
import Testing

@Suite struct PrefetcherTests {
    let folder: MediaFolder
    let path: String

    init() throws {
        folder = try MediaFolder()
        path = try folder.make(
            "source.mp4",
            Counter.input(frames: 80) + words("-f lavfi -i sine=d=3.2 -c:v libx264 -c:a aac"))
    }

    @Test("the pictures are those of the reader", arguments: [1, 3, 200])
    func sameFrames(depth: Int) throws {
        let prefetcher = FramePrefetcher(try VideoReader(path: path), depth: depth)
        var frames: [GridFrame] = []
        while let frame = try prefetcher.next() { frames.append(frame) }
        #expect(numbers(frames) == Array(0..<80))
        #expect(frames.map(\.index) == Array(0..<80))
        #expect(try prefetcher.next() == nil)
        prefetcher.cancel()
    }

    @Test("cancelling early closes the file")
    func cancel() throws {
        let prefetcher = FramePrefetcher(try VideoReader(path: path), depth: 2)
        _ = try prefetcher.next()
        prefetcher.cancel()
        #expect(openFiles() == 0)
        #expect(try prefetcher.next() == nil)
        prefetcher.cancel()
    }

    @Test("dropping a prefetcher ends it")
    func drop() throws {
        for _ in 0..<5 { _ = try FramePrefetcher(VideoReader(path: path), depth: 2).next() }
        let deadline = Date().addingTimeInterval(5)
        while openFiles() > 0 && Date() < deadline { usleep(5000) }
        #expect(openFiles() == 0)
    }

    @Test("nothing stays in memory after many openings")
    func memory() throws {
        let broken = try folder.write("broken.mp4", try folder.bytes(path).prefix(2000))
        func cycle(_ count: Int) throws {
            for _ in 0..<count {
                let probe = try MediaProbe(path: path)
                let reader = try VideoReader(
                    path: path, clock: probe.video.clock, range: 40..<43, threads: 1)
                let encoder = ClipEncoder(
                    crop: CropSquare(x: -4, y: 3, side: 40), encoding: small)
                while let frame = try reader.next() { try encoder.add(frame.frame) }
                _ = try encoder.finish()
                let samples = try AudioReader.read(path: path, start: 1.5, count: 3200)
                _ = try FLAC.encode(samples)
                _ = ClipEncoder(crop: CropSquare(x: 0, y: 0, side: 9), encoding: small)
                #expect(throws: LoopyError.self) { try VideoReader(path: broken) }
            }
        }
        try cycle(30)
        // What is lost shows every time; what else goes on in the process does not.
        var grown = Int.max
        for _ in 0..<3 where grown >= 6 << 20 {
            let before = residentBytes()
            try cycle(90)
            grown = min(grown, residentBytes() - before)
        }
        #expect(grown < 6 << 20)
        #expect(openFiles() == 0)
    }

    private var small: VideoEncoding {
        var encoding = VideoEncoding()
        (encoding.size, encoding.preset, encoding.threads) = (32, "ultrafast", 1)
        return encoding
    }

    /// Descriptors of this process that are open on files of the folder.
    private func openFiles() -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.filter { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/\(name)")
            return target?.hasPrefix(folder.path) == true
        }.count
    }
}
