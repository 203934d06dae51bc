import Foundation
import Media
import Perception
import TestSupport
import Testing

/// Files that lie beside the package's sources.
enum Place {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let fixtures = package + "/Tests/PerceptionTests/Fixtures/"

    /// A video that Scripts/setup.sh fetches.
    static func sample(_ name: String) -> String { package + "/.deps/samples/" + name }

    /// A real clip that is not part of the project, where it is there.
    static func clip(_ name: String) -> String { package + "/../shared/samples/" + name }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}

/// Runs a program that must succeed.
func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(arguments.joined(separator: " "))")
}

/// The picture at an index of the 25 fps grid.
func picture(_ path: String, at index: Int = 0) throws -> VideoFrame {
    let reader = try VideoReader(path: path, range: index..<(index + 1), threads: 1)
    return try #require(try reader.next()).frame
}

/// The first picture of a video after a chain of ffmpeg's filters.
func picture(_ path: String, filter: String) throws -> VideoFrame {
    try withFolder { folder in
        try run(
            ["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-vf", filter]
                + ["-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p", folder + "/out.mp4"])
        return try picture(folder + "/out.mp4")
    }
}

/// All pictures of what ffmpeg makes from some inputs and one filter graph, at 25 fps.
func pictures(_ inputs: [String], filter: String, seconds: Double) throws -> [VideoFrame] {
    try withFolder { folder in
        try run(
            ["ffmpeg", "-v", "error"] + inputs + ["-filter_complex", filter, "-r", "25"]
                + ["-t", String(seconds), "-an", "-c:v", "libx264", "-preset", "ultrafast"]
                + ["-qp", "5", "-pix_fmt", "yuv420p", folder + "/out.mp4"])
        let reader = try VideoReader(path: folder + "/out.mp4", threads: 1)
        var frames: [VideoFrame] = []
        while let next = try reader.next() { frames.append(next.frame) }
        return frames
    }
}

/// Landmarks as `KeypointsExtractor` and `FaceTracker` find them: a rough look, then a fine one.
func landmarks(_ network: FaceMesh, in frame: VideoFrame, of face: FaceDetection) throws
    -> FaceLandmarks
{
    let rough = try network.landmarks(in: frame, region: network.region(for: face))
    return try network.landmarks(in: frame, region: rough.region)
}

func largest(_ faces: [FaceDetection]) throws -> FaceDetection {
    try #require(faces.max { $0.box.area < $1.box.area })
}

/// The embedded networks, made once: compiling one takes a good part of a second. A network belongs
/// to one thread at a time, hence the actor.
@MainActor enum Networks {
    static let near = Result { try BlazeFace(.short) }
    static let far = Result { try BlazeFace(.full) }
    static let mesh = Result { try FaceMesh() }
    static let voice = Result { try VoiceActivity() }
}
