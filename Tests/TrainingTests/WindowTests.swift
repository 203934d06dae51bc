import Foundation
import Storage
import Testing
import Torch
import Training

/// What a window holds, against the arrays that the shard was made from.
@Suite struct WindowTests {
    /// Rows of an array, as a tensor.
    private func rows(_ array: NumPyArray, _ frames: [Int]) -> [Float] {
        let size = array.shape.dropFirst().reduce(1, *)
        return frames.flatMap { array.values[($0 * size)..<(($0 + 1) * size)] }
    }

    private func check(_ window: ClipWindow, _ clip: TestClip, motionFrames: Int) {
        let start = window.start
        #expect((0...(clip.frames - 12)).contains(start))
        #expect(window.key == clip.key)
        #expect(window.latents.shape == [12, 2, 2, 1])
        #expect(window.latents.type == .float32)
        #expect(window.latents.array() == rows(clip.latents, Array(start..<(start + 12))))
        let before = max(0, start - motionFrames)..<start
        #expect(window.history.shape == [before.count, 2, 2, 1])
        #expect(window.history.array() == rows(clip.latents, Array(before)))
        #expect(window.reference.shape == [2, 2, 1])
        let reference: [Float] = window.reference.array()
        let frame = Int(reference[0] - clip.offset)
        #expect((0..<clip.frames).contains(frame))
        #expect(reference == rows(clip.latents, [frame]))
        let heard = (start..<(start + 12)).flatMap { frame in
            (-2...2).map { min(max(0, frame + $0), clip.frames - 1) }
        }
        #expect(window.speech.shape == [12, 5, 2, 3])
        #expect(window.speech.array() == rows(clip.speech, heard))
        #expect(window.landmarks.shape == [12, 68, 2])
        let points = rows(clip.keypoints, Array(start..<(start + 12)))
        let expected = points.enumerated().filter { $0.offset % 3 != 2 }.map { $0.element / 500 }
        #expect(window.landmarks.array() == expected)
        #expect([window.headMotion, window.expression] == rows(clip.motion, [start]))
    }

    @Test(arguments: [12, 13, 40, 190], [0, 5, 124])
    func areWhatTheShardHolds(frames: Int, motionFrames: Int) throws {
        try withFolder { folder in
            let clip = TestClip("a", frames: frames, offset: 1)
            var settings = WindowSettings()
            settings.motionFrames = motionFrames
            let stream = try WindowStream(
                shards: makeShards(folder, [[clip]]), settings: settings)
            var starts: Set<Int> = []
            var references: Set<Double> = []
            for _ in 0..<60 {
                let window = try stream.next()
                check(window, clip, motionFrames: motionFrames)
                starts.insert(window.start)
                references.insert(window.reference[0, 0, 0].scalar)
            }
            // From the first frame at which one can begin to the last.
            if frames < 20 { #expect(starts == Set(0...(frames - 12))) }
            #expect(starts.count > (frames > 20 ? 15 : 0))
            #expect(references.count > 10)
        }
    }

    @Test func speechMayBeAFrameLongerOrShorter() throws {
        for count in [29, 30, 31] {
            try withFolder { folder in
                var clip = TestClip("a", frames: 30)
                var heard = clip
                heard.frames = count
                clip.changes["speech.npy"] = heard.speech.encoded(as: .float32)
                var settings = WindowSettings()
                settings.windowsPerClip = 100
                let stream = try WindowStream(
                    shards: makeShards(folder, [[clip]]), settings: settings)
                for _ in 0..<100 {
                    let window = try stream.next()
                    let frames = (window.start..<(window.start + 12)).flatMap { frame in
                        (-2...2).map { min(max(0, frame + $0), count - 1) }
                    }
                    #expect(window.speech.array() == rows(heard.speech, frames))
                }
            }
        }
    }

    @Test func singleFramesNeedLatentsAlone() throws {
        try withFolder { folder in
            var clip = TestClip("a", frames: 5)
            clip.names = ["latents.npy"]
            let stream = try WindowStream(
                shards: makeShards(folder, side: nil, [[clip]]), settings: .singleFrames)
            var starts: Set<Int> = []
            for _ in 0..<100 {
                let window = try stream.next()
                starts.insert(window.start)
                #expect(window.latents.array() == rows(clip.latents, [window.start]))
                #expect(window.history.shape == [0, 2, 2, 1])
                #expect(window.speech.count == 0)
                #expect(window.landmarks.count == 0)
            }
            #expect(starts == Set(0..<5))
        }
    }

    @Test func membersMayStandInAnyOrder() throws {
        try withFolder { folder in
            let clips = ["x/a", "x/b"].map { TestClip($0, frames: 60, offset: $0 == "x/b" ? 3 : 0) }
            let settings = WindowSettings()
            let usual = try WindowStream(
                shards: makeShards(folder + "/one", [clips]), settings: settings)
            var others = clips
            others[0].names.reverse()
            others[1].names = ["json", "latents.npy", "motion.npy", "speech.npy", "keypoints.npy"]
            others[1].changes["txt"] = Array("more than is needed".utf8)
            let other = try WindowStream(
                shards: makeShards(folder + "/two", [others]), settings: settings)
            for _ in 0..<20 {
                var window = try other.next()
                window.shard = usual.shards[0]
                #expect(Contents(window) == Contents(try usual.next()))
            }
        }
    }

    /// As the Python package webdataset writes: numpy's arrays, headers with fractions of seconds.
    @Test func readsWhatPythonWrote() throws {
        try withFolder { folder in
            let script = """
                import io, sys, tarfile
                import numpy as np
                T = 30
                a = lambda *shape: np.arange(np.prod(shape)).reshape(shape) % 1000
                arrays = {"latents": a(T, 4, 2, 2).astype(np.float16),
                          "speech": a(T, 3, 5).astype(np.float16),
                          "keypoints": a(T, 68, 3).astype(np.float32),
                          "motion": a(T - 11, 2).astype(np.float32)}
                with tarfile.open(sys.argv[1], "w") as tar:
                    for name, array in sorted(arrays.items()):
                        file = io.BytesIO()
                        np.save(file, array)
                        info = tarfile.TarInfo("sample000000." + name + ".npy")
                        info.size, info.mtime = len(file.getvalue()), 1700000000.25
                        tar.addfile(info, io.BytesIO(file.getvalue()))
                """
            let shards = try makeShards(folder, [[]])
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["python3", "-c", script, shards[0]]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            let window = try WindowStream(shards: shards, settings: WindowSettings()).next()
            #expect(window.key == "sample000000")
            let expected = (0..<(12 * 16)).map { Float(($0 + window.start * 16) % 1000) }
            #expect(window.latents.array() == expected)
            #expect(window.speech.shape == [12, 5, 3, 5])
            #expect(window.headMotion == Float(2 * window.start))
        }
    }

    // MARK: Held out

    @Test func heldOutWindowsFollowFromKeysAlone() throws {
        try withFolder { folder in
            let shards = try makeManyShards(folder + "/one")
            var settings = WindowSettings()
            func names(_ windows: [ClipWindow]) -> [String] {
                windows.map { "\($0.key) \($0.start) \($0.reference[0, 0, 0].scalar)" }
            }
            let all = try WindowStream.heldOutWindows(shards: shards, settings: settings, limit: 99)
            #expect(Set(all.map(\.key)).count == 10)
            #expect(all.map(\.key) != all.map(\.key).sorted())
            settings.seed = 7
            let some = try WindowStream.heldOutWindows(
                shards: shards.reversed(), settings: settings, limit: 4)
            #expect(names(some) == Array(names(all)[..<4]))
            #expect(some.map(Contents.init) == Array(all[..<4].map(Contents.init)))

            // Packed in another way, and with a clip that is too short.
            let clips = (0..<10).reversed().map {
                TestClip("clip\($0)", frames: 12 + 17 * $0, offset: $0 % 2 == 0 ? 0 : 1000)
            }
            let other = try makeShards(folder + "/two", [clips + [TestClip("short", frames: 11)]])
            let same = try WindowStream.heldOutWindows(shards: other, settings: settings, limit: 99)
            #expect(names(same) == names(all))
        }
    }
}
