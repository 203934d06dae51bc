import Errors
import Foundation
import Testing
import Torch
import Training

/// The order of windows: epochs, seeds, and going on from a state.
@Suite struct StreamTests {
    private func settings(_ shuffle: Int = 256, windowsPerClip: Int = 4, seed: Int = 0)
        -> WindowSettings
    {
        var settings = WindowSettings()
        settings.motionFrames = 20
        (settings.shuffle, settings.windowsPerClip, settings.seed) = (shuffle, windowsPerClip, seed)
        return settings
    }

    private func names(_ stream: WindowStream, _ count: Int) throws -> [String] {
        try (0..<count).map { _ in
            let window = try stream.next()
            return "\(window.key) \(window.start) \(window.reference[0, 0, 0].scalar)"
        }
    }

    @Test(arguments: [1, 2, 7, 8, 16, 40, 256])
    func everyEpochHasEveryClipSoOften(shuffle: Int) throws {
        try withFolder { folder in
            let stream = try WindowStream(
                shards: makeManyShards(folder), settings: settings(shuffle, windowsPerClip: 3))
            var epochs: [[String]] = []
            for epoch in 0..<3 {
                let keys = try (0..<30).map { _ in try stream.next().key }
                let counts = Dictionary(grouping: keys, by: { $0 }).mapValues(\.count)
                #expect(counts == .init(uniqueKeysWithValues: (0..<10).map { ("clip\($0)", 3) }))
                #expect(stream.state.epoch == epoch)
                #expect(stream.counts.clips == 10)
                epochs.append(keys)
            }
            #expect(epochs[0] != epochs[1])
            #expect(epochs[1] != epochs[2])
        }
    }

    @Test func theSeedDeterminesEverything() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            let one = try names(WindowStream(shards: shards, settings: settings()), 80)
            let same = try names(
                WindowStream(shards: shards.reversed(), settings: settings()), 80)
            let other = try names(WindowStream(shards: shards, settings: settings(seed: 1)), 80)
            #expect(one == same)
            #expect(one != other)
            #expect(one[..<40].sorted() != one[40...].sorted())
            #expect(one[..<40].sorted() != other[..<40].sorted())
        }
    }

    /// Windows of a clip are apart: were there no buffer, they would follow one another.
    @Test func theBufferShuffles() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            func neighbours(_ shuffle: Int) throws -> Int {
                let stream = try WindowStream(
                    shards: shards, settings: settings(shuffle, windowsPerClip: 10))
                let keys = try (0..<100).map { _ in try stream.next().key }
                return zip(keys, keys.dropFirst()).filter { $0 == $1 }.count
            }
            #expect(try neighbours(1) == 90)
            #expect(try neighbours(100) < 40)
        }
    }

    /// A shard has the clips of one source after the other: what is learnt last must not be one person.
    @Test func clipsOfManyShardsAreMixed() throws {
        try withFolder { folder in
            let clips = (0..<20).map { shard in (0..<5).map { TestClip("s\(shard)-\($0)") } }
            let stream = try WindowStream(
                shards: makeShards(folder, clips), settings: settings(1, windowsPerClip: 1))
            let drawn = try (0..<100).map { _ in try stream.next().key }
            #expect(Set(drawn).count == 100)
            let shards = drawn.map { $0.split(separator: "-")[0] }
            #expect(zip(shards, shards.dropFirst()).filter { $0 == $1 }.count < 30)
            // Eight are open at a time: then come the next eight, and the last four.
            for (first, count) in [(0, 8), (40, 8), (80, 4)] {
                #expect(Set(shards[first..<(first + 5 * count)]).count == count)
            }
        }
    }

    // MARK: State

    /// After every so many windows, also past an epoch's end, through JSON.
    @Test(arguments: [1, 5, 16, 256])
    func aStreamGoesOnFromItsState(shuffle: Int) throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            let settings = settings(shuffle)
            let stream = try WindowStream(shards: shards, settings: settings)
            var states = [stream.state]
            var windows: [Contents] = []
            for _ in 0..<100 {
                windows += try contents(stream, 1)
                states.append(stream.state)
            }
            for taken in [0, 1, 2, 3, 7, 20, 38, 39, 40, 41, 64, 80, 90] {
                let stored = try JSONEncoder().encode(states[taken])
                let state = try JSONDecoder().decode(WindowStream.State.self, from: stored)
                #expect(state == states[taken])
                let other = try WindowStream(
                    shards: shards, settings: settings, restoring: state)
                #expect(other.state == states[taken])
                for index in taken..<min(100, taken + 25) {
                    #expect(Contents(try other.next()) == windows[index])
                    #expect(other.state == states[index + 1])
                }
            }
        }
    }

    /// Over other shards or with other settings the epoch after the state's begins, as it would have there.
    @Test func aStateOfOtherDataBeginsANewEpoch() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            let stream = try WindowStream(shards: shards, settings: settings())
            for _ in 0..<50 { _ = try stream.next() }
            #expect(stream.state.epoch == 1)
            func check(_ shards: [String], _ settings: WindowSettings, _ change: String) throws {
                let other = try WindowStream(
                    shards: shards, settings: settings, restoring: stream.state)
                #expect(other.change == change)
                #expect(other.state.epoch == 2)
                let fresh = try WindowStream(shards: shards, settings: settings)
                while fresh.state.epoch < 2 { _ = try fresh.next() }
                // That one has handed out the first window of the epoch already.
                _ = try other.next()
                #expect(other.state == fresh.state)
                #expect(try contents(other, 20) == contents(fresh, 20))
            }
            let (fewer, others) = (Array(shards.dropLast()), settings(8, windowsPerClip: 2))
            try check(fewer, settings(), "2 shards instead of 3, 2 of them as they were")
            try check(
                shards, others,
                "data.shuffle 8 instead of 256, data.windows_per_clip 2 instead of 4")
            // An earlier version read one shard after the other.
            var stored = try #require(
                JSONSerialization.jsonObject(with: JSONEncoder().encode(stream.state))
                    as? [String: Any])
            #expect(stored.removeValue(forKey: "shardsTogether") != nil)
            let earlier = try WindowStream(
                shards: shards, settings: settings(),
                restoring: JSONDecoder().decode(
                    WindowStream.State.self, from: JSONSerialization.data(withJSONObject: stored)))
            #expect(earlier.change == "clips in another order")
            #expect(earlier.state.epoch == 2)

            let shorter = try makeShards(
                folder + "/shorter",
                [0..<4, 4..<5, 5..<10].map { $0.map { TestClip("clip\($0)", frames: 12) } })
            try check(shorter, settings(), "3 shards, 0 of them as they were")

            // A shard of the same size is another one where digests say so.
            func digests(_ last: String) -> [String: String] {
                ["train-00000.tar": "a", "train-00001.tar": "b", "train-00002.tar": last]
            }
            let known = try WindowStream(
                shards: shards, settings: settings(), digests: digests("c"))
            _ = try known.next()
            func change(_ last: String) throws -> String? {
                try WindowStream(
                    shards: shards, settings: settings(), digests: digests(last),
                    restoring: known.state
                ).change
            }
            #expect(try change("c") == nil)
            #expect(try change("d") == "3 shards, 2 of them as they were")
        }
    }

    /// Shards that are not what they are said to be.
    @Test func aStateOfClipsThatAreGoneIsRefused() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder)
            let digests = ["train-00000.tar": "a", "train-00001.tar": "b", "train-00002.tar": "c"]
            let stream = try WindowStream(shards: shards, settings: settings(), digests: digests)
            _ = try stream.next()
            func message(_ folder: String, _ key: String, frames: Int) throws -> String? {
                let clips = [0..<4, 4..<5, 5..<10].map {
                    $0.map { TestClip("\(key)\($0)", frames: frames) }
                }
                let others = try makeShards(folder, clips)
                let error = #expect(throws: LoopyError.self) {
                    _ = try WindowStream(
                        shards: others, settings: settings(), digests: digests,
                        restoring: stream.state)
                }
                #expect(error?.category == .mismatch)
                return error?.message
            }
            let gone = try message(folder + "/other", "other", frames: 30)
            #expect(gone?.contains("holds no clip clip") == true)
            let shorter = try message(folder + "/shorter", "clip", frames: 12)
            #expect(shorter?.contains("shorter than it was") == true)
        }
    }

    // MARK: Short clips

    @Test func clipsShorterThanAWindowAreSkipped() throws {
        try withFolder { folder in
            var short = TestClip("short", frames: 11)
            short.names = ["latents.npy"]
            let shards = try makeShards(
                folder, [[short, TestClip("a", frames: 12)], [TestClip("none", frames: 0)]])
            let stream = try WindowStream(shards: shards, settings: settings())
            for _ in 0..<12 { #expect(try stream.next().key == "a") }
            #expect(stream.counts.skipped == 2)
            #expect(stream.counts.clips == 1)
        }
    }

    @Test func noClipIsLongEnough() throws {
        try withFolder { folder in
            let shards = try makeShards(
                folder, [[TestClip("a", frames: 11)], [TestClip("b", frames: 3)], []])
            let stream = try WindowStream(shards: shards, settings: settings())
            let error = #expect(throws: LoopyError.self) { try stream.next() }
            #expect(error?.category == .malformed)
            #expect(
                error?.message
                    == "\(folder)/shards: none of 2 clips has 12 frames")
        }
    }

    @Test func settingsThatCannotBeAreRefused() throws {
        func message(_ change: (inout WindowSettings) -> Void) -> String? {
            var settings = WindowSettings()
            change(&settings)
            let error = #expect(throws: LoopyError.self) { try settings.validate() }
            #expect(error?.category == .configuration)
            return error?.message
        }
        #expect(message { $0.windowsPerClip = 0 }?.hasPrefix("data.windows_per_clip") == true)
        #expect(message { $0.shuffle = 0 }?.hasPrefix("data.shuffle") == true)
        #expect(message { $0.motionFrames = -1 }?.hasPrefix("data.motion_frames") == true)
        try WindowSettings.singleFrames.validate()
    }
}
