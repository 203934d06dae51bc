import Errors
import Foundation
import Synchronization
import Testing
import Torch
import Training

@Suite struct WindowPrefetcherTests {
    private static let settings: WindowSettings = {
        var settings = WindowSettings()
        settings.motionFrames = 20
        settings.shuffle = 16
        return settings
    }()

    @Test("the windows are those of the stream", arguments: [1, 3, 200])
    func sameWindows(depth: Int) throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            let stream = try WindowStream(shards: shards, settings: Self.settings)
            let prefetcher = WindowPrefetcher(
                try WindowStream(shards: shards, settings: Self.settings), depth: depth)
            #expect(prefetcher.state == stream.state)
            for _ in 0..<60 {
                #expect(Contents(try prefetcher.next()) == Contents(try stream.next()))
                // Of the window handed out, whatever was read ahead.
                #expect(prefetcher.state == stream.state)
            }
            prefetcher.cancel()
            #expect(prefetcher.state == stream.state)
        }
    }

    /// How often latents were made.
    private final class Calls: Sendable {
        private let made = Mutex(0)

        var count: Int { made.withLock { $0 } }

        func add() { made.withLock { $0 += 1 } }

        /// Until there are so many, and then long enough for more.
        func wait(for count: Int) {
            let deadline = Date().addingTimeInterval(10)
            while self.count < count, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
            Thread.sleep(forTimeInterval: 0.3)
        }
    }

    /// Shards without latents, which are made for each window: how often shows how far reading has gone.
    private func counting(
        _ folder: String, _ calls: Calls, seconds: Double = 0
    ) throws -> sending WindowStream {
        var clip = TestClip("a", frames: 5)
        clip.names = ["json"]
        clip.changes["mp4"] = [0]
        var settings = WindowSettings.singleFrames
        (settings.shuffle, settings.windowsPerClip) = (1, 1)
        return try WindowStream(
            shards: makeShards(folder, [[clip]]), settings: settings,
            encoder: { _, _, frames in
                // Twice for a window whose reference lies apart.
                calls.add()
                Thread.sleep(forTimeInterval: seconds)
                return .zeros([frames.count, 1, 1, 1])
            })
    }

    @Test("no more windows are in memory than may wait")
    func bounded() throws {
        try withFolder { folder in
            let calls = Calls()
            let prefetcher = WindowPrefetcher(try counting(folder, calls), depth: 3)
            calls.wait(for: 3)
            #expect((3...6).contains(calls.count))
            for _ in 0..<10 { _ = try prefetcher.next() }
            calls.wait(for: 13)
            #expect((13...26).contains(calls.count))
        }
    }

    @Test("time spent waiting is counted, and no other")
    func waits() throws {
        try withFolder { folder in
            let prefetcher = WindowPrefetcher(
                try counting(folder + "/slow", Calls(), seconds: 0.05), depth: 2)
            for _ in 0..<6 { _ = try prefetcher.next() }
            #expect((0.25...5).contains(prefetcher.secondsWaited))

            let calls = Calls()
            let other = WindowPrefetcher(try counting(folder + "/fast", calls), depth: 8)
            calls.wait(for: 8)
            for _ in 0..<8 { _ = try other.next() }
            #expect(other.secondsWaited < 0.05)
        }
    }

    @Test("what the stream throws comes after the windows before it, and stays")
    func error() throws {
        try withFolder { folder in
            var damaged = TestClip("b", frames: 30)
            damaged.changes["speech.npy"] = .some(nil)
            let shards = try makeShards(folder, [[TestClip("a", frames: 30), damaged]])
            var settings = Self.settings
            settings.shuffle = 1
            let prefetcher = WindowPrefetcher(
                try WindowStream(shards: shards, settings: settings), depth: 8)
            for _ in 0..<4 { #expect(try prefetcher.next().key == "a") }
            let state = prefetcher.state
            for _ in 0..<2 {
                let error = #expect(throws: LoopyError.self) { try prefetcher.next() }
                #expect(error?.message.contains("clip b: has no member b.speech.npy") == true)
            }
            #expect(prefetcher.state == state)
            prefetcher.cancel()
        }
    }

    /// Open files below a folder.
    private func openFiles(_ folder: String) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.filter {
            let file = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/" + $0)
            return file?.hasPrefix(folder) == true
        }.count
    }

    @Test("cancelling closes the shards")
    func cancel() throws {
        try withFolder { folder in
            let prefetcher = WindowPrefetcher(
                try WindowStream(shards: makeManyShards(folder), settings: Self.settings))
            _ = try prefetcher.next()
            // Those that are mixed are open together.
            #expect(openFiles(folder) == 3)
            prefetcher.cancel()
            #expect(openFiles(folder) == 0)
            #expect(throws: CancellationError.self) { try prefetcher.next() }
            prefetcher.cancel()
        }
    }

    @Test("dropping a prefetcher ends it")
    func drop() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            for _ in 0..<3 {
                _ = try WindowPrefetcher(
                    WindowStream(shards: shards, settings: Self.settings), depth: 2
                ).next()
            }
            let deadline = Date().addingTimeInterval(5)
            while openFiles(folder) > 0, Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
            #expect(openFiles(folder) == 0)
        }
    }
}
