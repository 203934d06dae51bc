import Foundation
import Media
import Perception
import SyntheticSpeaker
import Testing

/// Files that Scripts/setup.sh fetches.
enum Place {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let portrait = package + "/.deps/portraits/portrait.jpg"
    static let speech = package + "/.deps/portraits/speech.wav"
}

func speaker(
    size: Int = 96, seconds: Double? = nil,
    _ change: (inout SpeakerVideo.Options) -> Void = { _ in
    }
) throws -> SpeakerVideo {
    var options = SpeakerVideo.Options()
    (options.size, options.seconds) = (size, seconds)
    change(&options)
    return try SpeakerVideo(portrait: Place.portrait, speech: [Place.speech], options)
}

func correlation(_ a: [Double], _ b: [Double]) -> Double {
    let count = Double(a.count)
    let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
    let products = zip(a, b).map { ($0 - meanA) * ($1 - meanB) }.reduce(0, +)
    let squares = (
        a.map { ($0 - meanA) * ($0 - meanA) }.reduce(0, +),
        b.map { ($0 - meanB) * ($0 - meanB) }.reduce(0, +)
    )
    return products / (squares.0 * squares.1).squareRoot()
}

/// The delay of `late` against `early`, in frames, at which they correlate best.
func delay(of late: [Double], against early: [Double], reach: Int) -> Int {
    func agreement(_ delay: Int) -> Double {
        let pairs = early.indices.filter { late.indices.contains($0 + delay) }
        return correlation(pairs.map { late[$0 + delay] }, pairs.map { early[$0] })
    }
    return (-reach...reach).max { agreement($0) < agreement($1) } ?? 0  // never empty
}

/// The faces in every `step`th picture of a video, from left to right.
func faces(in path: String, every step: Int = 1) throws -> [(frame: Int, faces: [FaceLandmarks])] {
    let tracker = FaceTracker(
        near: try BlazeFace(.short), far: try BlazeFace(.full), network: try FaceMesh())
    tracker.startVideo()
    let reader = try VideoReader(path: path, threads: 1)
    var result: [(frame: Int, faces: [FaceLandmarks])] = []
    while let picture = try reader.next() {
        guard picture.index.isMultiple(of: step) else { continue }
        let seen = try tracker.update(picture.frame).filter { !$0.isCoasting }.map(\.landmarks)
        result.append((picture.index, seen.sorted { $0.box.left < $1.box.left }))
    }
    return result
}
