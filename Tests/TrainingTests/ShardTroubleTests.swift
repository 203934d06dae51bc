import Errors
import Foundation
import Storage
import Testing
import Training

/// What is wrong with shards is named with shard and clip.
@Suite struct ShardTroubleTests {
    /// What the first window of a clip that is changed says.
    private func message(
        side: Int? = 500, settings: WindowSettings = WindowSettings(),
        _ change: (inout TestClip) -> Void
    ) throws -> String {
        try withFolder { folder in
            var clip = TestClip("0a1b", frames: 30)
            change(&clip)
            let shards = try makeShards(folder, side: side, [[clip]])
            do {
                _ = try WindowStream(shards: shards, settings: settings).next()
                return ""
            } catch {
                let text = "\(error)"
                #expect(text.hasPrefix("\(shards[0]), clip 0a1b: "), "\(text)")
                return text.replacingOccurrences(of: "\(shards[0]), clip 0a1b: ", with: "")
            }
        }
    }

    @Test(arguments: ["latents", "speech", "keypoints", "motion"])
    func aMemberIsMissing(name: String) throws {
        let message = try message { $0.changes[name + ".npy"] = .some(nil) }
        #expect(
            message
                == "has no member 0a1b.\(name).npy; run loopy-extract \(name) and loopy-pack")
    }

    @Test func aMemberHasAnotherShape() throws {
        func message(_ name: String, _ shape: [Int]) throws -> String {
            try self.message {
                let count = shape.reduce(1, *)
                $0.changes[name] = NumPyArray(
                    shape: shape, values: Array(repeating: 1, count: count)
                ).encoded()
            }
        }
        #expect(
            try message("latents.npy", [30, 4])
                == "0a1b.latents.npy has the shape [30, 4], not [T, *, *, *]")
        #expect(
            try message("speech.npy", [30, 5, 2, 3])
                == "0a1b.speech.npy has the shape [30, 5, 2, 3], not [T, *, *]")
        #expect(
            try message("keypoints.npy", [30, 133, 3])
                == "0a1b.keypoints.npy has the shape [30, 133, 3], not [T, 68, 3]")
        #expect(
            try message("motion.npy", [19, 1])
                == "0a1b.motion.npy has the shape [19, 1], not [T, 2]")
        #expect(
            try message("motion.npy", [30, 2])
                == "0a1b.motion.npy has 30 rows, and the clip's other members want 19")
        #expect(
            try message("keypoints.npy", [29, 68, 3])
                == "0a1b.keypoints.npy has 29 rows, and the clip's other members want 30")
        #expect(
            try message("speech.npy", [28, 2, 3])
                == "0a1b.speech.npy has 28 rows, and the clip's other members want 30")
    }

    @Test func aMemberHoldsSomethingElse() throws {
        #expect(
            try message { $0.changes["speech.npy"] = $0.speech.encoded(as: .int16) }
                == "0a1b.speech.npy holds values of '<i2', not float16 or float32")
        #expect(
            try message { $0.changes["speech.npy"] = Array("text".utf8) }
                == "0a1b.speech.npy: not a .npy file (no magic number)")
        #expect(
            try message { $0.changes["latents.npy"] = $0.latents.encoded(as: .float16).dropLast() }
                == "0a1b.latents.npy: 239 bytes are not float16 values of [30, 2, 2, 1]")
    }

    @Test(arguments: ["latents", "speech", "keypoints", "motion"], [Float.nan, .infinity])
    func valuesAreNoNumbers(name: String, value: Float) throws {
        let message = try message {
            var array = [
                "latents": $0.latents, "speech": $0.speech, "keypoints": $0.keypoints,
                "motion": $0.motion,
            ][name]!  // one of the four
            for index in array.values.indices { array.values[index] = value }
            $0.changes[name + ".npy"] = array.encoded(as: value.isNaN ? .float16 : .float32)
        }
        #expect(message.hasPrefix("\(name) of the window at frame "), "\(message)")
        #expect(message.contains("not all finite numbers"))
    }

    @Test func theSideIsNotKnown() throws {
        let message = try message(side: nil) { _ in }
        #expect(message.contains("how many pixels its side has is not known"))
        #expect(message.contains("0a1b.mp4"))
        // Nobody asks for it without key points.
        #expect(try self.message(side: nil, settings: .singleFrames) { _ in } == "")
    }

    @Test func clipsDiffer() throws {
        try withFolder { folder in
            var other = TestClip("b", frames: 30)
            other.changes["latents.npy"] =
                NumPyArray(shape: [30, 4, 1, 1], values: other.latents.values).encoded()
            let shards = try makeShards(folder, [[TestClip("a", frames: 30), other]])
            var settings = WindowSettings()
            settings.shuffle = 1
            let stream = try WindowStream(shards: shards, settings: settings)
            for _ in 0..<4 { _ = try stream.next() }
            // Again and again: nothing is passed over in silence.
            for _ in 0..<2 {
                let error = #expect(throws: LoopyError.self) { try stream.next() }
                #expect(
                    error?.message
                        == "\(shards[0]), clip b: latents are [4, 1, 1] a frame, and those of clips "
                        + "before it were [2, 2, 1]")
            }
        }
    }

    @Test func theArchiveIsCutShort() throws {
        try withFolder { folder in
            let shards = try makeShards(folder, [[TestClip("a", frames: 30)]])
            let whole = try Data(contentsOf: URL(fileURLWithPath: shards[0]))
            try whole[..<(whole.count - 3000)].write(to: URL(fileURLWithPath: shards[0]))
            let stream = try WindowStream(shards: shards, settings: WindowSettings())
            let error = #expect(throws: LoopyError.self) { try stream.next() }
            #expect(error?.message.hasPrefix(shards[0] + ": no tar header at byte") == true)
        }
    }

    @Test func thereAreNoShards() throws {
        try withFolder { folder in
            let error = #expect(throws: LoopyError.self) {
                try WindowStream.shards(in: folder, split: "val")
            }
            #expect(error?.message == "\(folder): holds no shard val-*.tar; run loopy-pack first")
            let none = #expect(throws: LoopyError.self) {
                try WindowStream(shards: [], settings: WindowSettings())
            }
            #expect(none?.category == .malformed)
            let twice = #expect(throws: LoopyError.self) {
                try WindowStream(shards: ["/a/x.tar", "/b/x.tar"], settings: WindowSettings())
            }
            #expect(twice?.message == "two shards have one name: /a/x.tar and /b/x.tar")
        }
    }
}
