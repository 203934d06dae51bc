import Errors
import Foundation
import Media
import Testing

/// A temporary folder of media files that the `ffmpeg` command makes; gone with the object.
final class MediaFolder {
    let path: String

    init() throws {
        silenceFFmpeg()
        path = NSTemporaryDirectory() + "loopy-media-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    /// Makes one file: ffmpeg's arguments as on a command line, without the output's name.
    func make(_ name: String, _ arguments: [String]) throws -> String {
        try ffmpeg(arguments + ["file:" + file(name)])
        return file(name)
    }

    /// Makes several files of one input in one run of ffmpeg.
    func make(_ outputs: [(name: String, options: String)], from input: [String]) throws {
        try ffmpeg(input + outputs.flatMap { words($0.options) + ["file:" + file($0.name)] })
    }

    func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

struct FixtureFailure: Error, CustomStringConvertible {
    let description: String
}

/// Runs the `ffmpeg` command and returns what it writes to standard output.
@discardableResult
func ffmpeg(_ arguments: [String]) throws -> [UInt8] {
    try run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1"] + arguments)
}

func run(_ arguments: [String]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw FixtureFailure(description: "\(arguments.joined(separator: " ")): \(message)")
    }
    return [UInt8](bytes)
}

/// Splits a command line at its spaces; nothing in these tests is quoted.
func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

/// Pictures that carry their own number: eight upright bars, bar k white where bit k is set.
enum Counter {
    static let width = 64, height = 32

    /// ffmpeg's input arguments for a numbered video.
    static func input(frames: Int, rate: String = "25") -> [String] {
        let bars = "if(mod(floor(N/pow(2\\,floor(X/8)))\\,2)\\,235\\,16)"
        let source =
            "color=black:s=\(width)x\(height):r=\(rate),format=yuv420p,geq=lum='\(bars)':cb=128:cr=128"
        return ["-f", "lavfi", "-i", source + ",trim=end_frame=\(frames)"]
    }

    static func number(of frame: VideoFrame) -> Int {
        let rgb = frame.pixels(width: width, height: height)
        return number { rgb[(height / 2 * width + $0) * 3] > 127 }
    }

    private static func number(_ isWhite: (Int) -> Bool) -> Int {
        (0..<8).reduce(0) { $0 | (isWhite($1 * 8 + 4) ? 1 << $1 : 0) }
    }

    /// The numbers that FFmpeg's own `fps=25` filter chooses.
    static func numbersByFFmpeg(_ path: String, filter: String = "fps=25") throws -> [Int] {
        let bytes = try ffmpeg(
            ["-i", path, "-map", "0:v:0", "-vf", filter]
                + words("-fps_mode passthrough -f rawvideo -pix_fmt gray -"))
        let size = width * height
        return (0..<(bytes.count / size)).map { index in
            number { bytes[index * size + height / 2 * width + $0] > 127 }
        }
    }
}

extension VideoFrame {
    /// The whole upright picture as `[height, width, 3]`, scaled to a size.
    func pixels(width: Int, height: Int) -> [Float] {
        sampled(
            Affine(
                xx: Double(self.width) / Double(width), xy: 0, x0: 0,
                yx: 0, yy: Double(self.height) / Double(height), y0: 0),
            width: width, height: height)
    }

    func pixels() -> [Float] { pixels(width: width, height: height) }

    func sampled(
        _ region: Affine, width: Int, height: Int, border: Border = .replicate
    ) -> [Float] {
        var rgb = [Float](repeating: -1, count: width * height * 3)
        rgb.withUnsafeMutableBufferPointer {
            sample(region, width: width, height: height, border: border, into: $0)
        }
        return rgb
    }
}

/// Every picture that a reader gives.
func readAll(_ reader: VideoReader) throws -> [GridFrame] {
    var frames: [GridFrame] = []
    while let frame = try reader.next() { frames.append(frame) }
    return frames
}

func numbers(_ frames: [GridFrame]) -> [Int] { frames.map { Counter.number(of: $0.frame) } }

func firstPicture(_ path: String) throws -> VideoFrame {
    try #require(try VideoReader(path: path, threads: 1).next()).frame
}

/// What ffmpeg makes of a file's first picture, upright and in RGB.
func pixelsByFFmpeg(_ path: String, filter: String = "null") throws -> [Float] {
    let bytes = try ffmpeg(
        ["-i", path, "-map", "0:v:0", "-vf", filter + ",scale=flags=bilinear+accurate_rnd"]
            + words("-frames:v 1 -f rawvideo -pix_fmt rgb24 -"))
    return bytes.map(Float.init)
}

func meanDifference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count, !a.isEmpty else { return .infinity }
    return zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / Float(a.count)
}

/// Peak signal-to-noise ratio of values of 0...255, in dB.
func signalToNoise(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count, !a.isEmpty else { return -.infinity }
    let squares = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return 10 * log10(255 * 255 / max(1e-9, squares / Float(a.count)))
}

/// The code of the `LoopyError` that a call throws; nil when it throws nothing of the kind.
func errorCode(_ body: () throws -> Void) -> LoopyError.Category? {
    do {
        try body()
        return nil
    } catch {
        return (error as? LoopyError)?.category
    }
}

/// Memory that this process has in use.
func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let fields = text.split(separator: " ").compactMap { Int($0) }
    return fields.count > 1 ? fields[1] * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
}
