import Foundation

/// A temporary folder, gone with the object.
final class Folder {
    let path = NSTemporaryDirectory() + "loopy-evaluation-tests-" + UUID().uuidString

    static let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent(".deps/samples").path

    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures").path

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    /// Makes a video of a sample by FFmpeg's filters, without loss.
    func video(_ name: String, of sample: String, seconds: Double, filters: String) throws -> String
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/ffmpeg")
        process.arguments = [
            "-nostdin", "-v", "error", "-y", "-i", Self.samples + "/" + sample, "-t", "\(seconds)",
            "-vf", filters, "-an", "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast",
            file(name),
        ]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw FFmpegFailure(filters: filters) }
        return file(name)
    }
}

struct FFmpegFailure: Error {
    let filters: String
}
