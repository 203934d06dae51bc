import Foundation
import Media

/// Files that Scripts/setup.sh fetches.
enum Place {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let portrait = package + "/.deps/portraits/portrait.jpg"
    static let speech = package + "/.deps/portraits/speech.wav"
}

/// A sentence, in whole frames.
func speechSamples() throws -> [Float] {
    let stream = try AudioStream(path: Place.speech)
    let samples = try stream.next(stream.sampleCount)
    return Array(samples.prefix(samples.count / 640 * 640))
}
