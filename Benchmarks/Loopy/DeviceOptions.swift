import ArgumentParser
import Foundation
import Torch

/// What `check` and `speed` are told.
struct DeviceOptions: ParsableArguments {
    @Option(help: "The device: cuda, cuda:N, or cpu to try the program itself.")
    var device = "cuda:0"

    @Option(help: "The folder for results; it is made.")
    var output: String

    /// The device, and its name for people.
    func prepare() throws -> (device: Device, name: String) {
        LibTorch.configure(threads: ProcessInfo.processInfo.activeProcessorCount)
        try FileManager.default.createDirectory(
            atPath: output, withIntermediateDirectories: true)
        let device = try Device(device)
        return (device, ProcessInfo.processInfo.environment["GPU_NAME"] ?? device.description)
    }
}

/// A table as Markdown, printed line by line while it comes to be, so that a run that is stopped has shown
/// what it knew; and kept in a file.
final class Table {
    private let path: String
    private var lines: [String] = []

    init(_ path: String, title: String, _ columns: [String]) throws {
        self.path = path
        try add(line: "\n### \(title)\n")
        try add(columns)
        try add(columns.map { _ in "---" })
    }

    func add(_ cells: [String]) throws {
        try add(line: "| " + cells.joined(separator: " | ") + " |")
    }

    private func add(line: String) throws {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
        lines.append(line)
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(
            to: URL(fileURLWithPath: path))
    }
}

func text(_ number: Double, _ digits: Int = 3) -> String { String(format: "%.\(digits)g", number) }

/// Seconds that a body takes on a device, the waiting for its end included.
func seconds(on device: Device, _ body: () throws -> Void) rethrows -> Double {
    device.synchronise()
    let started = ContinuousClock.now
    try body()
    device.synchronise()
    return (ContinuousClock.now - started) / .seconds(1)
}

/// The median of some runs, after one that is not counted.
func median(on device: Device, runs: Int, _ body: () throws -> Void) rethrows -> Double {
    var all: [Double] = []
    for _ in 0...runs { all.append(try seconds(on: device, body)) }
    return all.dropFirst().sorted()[runs / 2]
}
