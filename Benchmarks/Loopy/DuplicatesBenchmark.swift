import ArgumentParser
import Curation
import Foundation
import TestSupport

/// Finding copies among many clips, as `loopy-select` does: seconds, and how many of the copies.
struct DuplicatesBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicates",
        abstract: "Seconds of finding copies among clips of ten seconds whose footage is made up.")

    @Option(help: "The number of clips.")
    var clips = 1_000_000

    @Option(help: "One clip in so many is a copy of another, with a twentieth of its bits wrong.")
    var every = 100

    func run() throws {
        var synthetic = SyntheticFootage(seed: 1)
        var library = FootageLibrary()
        var listed: [Duplicates.Clip] = []
        func add(_ key: String, _ footage: Footage, faceHeight: Double) {
            let frames = 0..<footage.frameCount
            let worth = Duplicates.Worth(
                faceHeight: faceHeight, frames: frames.count, detail: 0.2, key: key)
            library.add(footage, source: listed.count)
            listed.append(
                Duplicates.Clip(key: key, candidate: listed.count, frames: frames, worth: worth))
        }
        var expected: [String: String] = [:]
        while listed.count < clips {
            let number = listed.count
            let footage = synthetic.original(frames: 250)
            add("\(number)", footage, faceHeight: 200)
            if listed.count % every == 0 {
                expected["copy of \(number)"] = "\(number)"
                add("copy of \(number)", synthetic.copy(of: footage, from: 20), faceHeight: 100)
            }
        }
        let start = ContinuousClock.now
        let found = try Duplicates(of: listed, in: library).copies
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let right = found.count { expected[$0.key] == $0.value.original }
        print(
            "{\"seconds\": \(seconds), \"clips\": \(listed.count), \"copies\": \(expected.count), "
                + "\"found\": \(right), \"wrong\": \(found.count - right)}")
    }
}
