import Foundation
import Torch

/// Loopy's side of what is measured of its parts, on two threads; prints JSON.
///
///     bench-loopy forward|step [checkpointing]
///     bench-loopy sampling apart|together|published
///     bench-loopy windows SHARDS COUNT
///     bench-loopy quality PORTRAIT SPEECH WAY…
@main
struct BenchLoopy {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        LibTorch.configure(threads: 2)
        switch arguments.first {
        case "windows" where arguments.count == 3:
            let rate = try benchmarkWindows(
                arguments[2], count: arguments.last.flatMap { Int($0) } ?? 0)
            print("{\"windows_per_second\": \(rate)}")
        case "quality" where arguments.count > 3:
            let rest = Array(arguments.dropFirst())
            try benchmarkQuality(rest[0], rest[1], Array(rest[2...]))
        case "sampling":
            let order = arguments.last.flatMap(SamplingOrder.init) ?? .apart
            print("{\"sampling_s\": \(try benchmarkSampling(order))}")
        case "forward", "step":
            let what = arguments.first!  // as matched
            let seconds = try benchmarkModel(
                step: what == "step", gradientCheckpointing: arguments.contains("checkpointing"))
            print("{\"\(what)_s\": \(seconds)}")
        default:
            FileHandle.standardError.write(
                Data(
                    "bench-loopy: forward, step [checkpointing], sampling ORDER, windows SHARDS COUNT, or quality\n"
                        .utf8))
            exit(64)
        }
    }
}
