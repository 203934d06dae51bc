import Curation
import Dataset
import Foundation
import Media
import Perception
import Storage
import TestSupport
import Testing

/// Files that lie beside the package's sources.
enum Place {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// A video that Scripts/setup.sh fetches.
    static func sample(_ name: String) -> String { package + "/.deps/samples/" + name }
}

/// A video of ffmpeg's test sources.
func makeVideo(
    _ path: String, source: String = "testsrc=s=64x64:r=25", seconds: Double = 0.4
) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-t", String(seconds)]
        + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
}

/// A source that need not exist.
func makeSource(
    _ name: String, frames: Int, width: Int = 640, height: Int = 480, hasAudio: Bool = true,
    identity: String? = nil
) throws -> Source {
    var source = Source(digest: Digest.of(name), path: "/videos/\(name).mp4", bytes: 1, modified: 1)
    source.identity = identity
    let audio = #"{"codec": "aac", "channels": 2, "sample_rate": 48000}"#
    let seconds = Double(frames) / 25
    let probe = """
        {"container": "mov", "duration": \(seconds),
         "last_packet_end": \(seconds), "audio": \(hasAudio ? audio : "null"),
         "video": {"codec": "h264", "width": \(width), "height": \(height),
                   "frames_per_second": 25, "grid_frames": \(frames),
                   "clock": {"start": 0, "numerator": 1, "denominator": 25, "regular": true}}}
        """
    source.probe = try JSONDecoder().decode(MediaProbe.self, from: Data(probe.utf8))
    return source
}

/// A face that does not move, for measurers that ask for its time only.
func stillTrack(_ frames: Range<Int>) throws -> TrackRecorder {
    let picture = try greyPicture.get()
    var track = TrackRecorder(face: 0, start: frames.lowerBound, frame: picture)
    for frame in frames {
        track.append(
            FaceObservation(face: 0, landmarks: stillFace(), isCoasting: false),
            frame: GridFrame(index: frame, frame: picture, isRepeat: false))
    }
    return track
}

private let greyPicture = Result {
    try withFolder { folder in
        try makeVideo(folder + "/grey.mp4", source: "color=gray:s=320x240:r=25")
        return try VideoReader.firstPicture(path: folder + "/grey.mp4")
    }
}

/// A face of 80x100 pixels about a point.
func stillFace(_ centre: Point = Point(160, 120)) -> FaceLandmarks {
    let box = Box(
        left: centre.x - 40, top: centre.y - 50, right: centre.x + 40, bottom: centre.y + 50)
    var points = [Point](repeating: centre, count: IBUG68.count)
    for index in IBUG68.leftEye { points[index].x -= 21 }
    for index in IBUG68.rightEye { points[index].x += 21 }
    return FaceLandmarks(
        points: points, confidences: points.map { _ in 0.9 }, box: box,
        pose: HeadPose(yaw: 0, pitch: 0, roll: 0), presence: 0.9, sharpness: 7, brightness: 0.5,
        region: FaceRegion(around: box, angle: 0, scale: 1.5))
}
