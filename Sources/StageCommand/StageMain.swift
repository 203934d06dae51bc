import ArgumentParser
import Dataset
import Errors
import Foundation
import Media

/// Exit statuses that a supervisor can tell apart.
public enum StageExit {
    /// Some items failed and are recorded.
    public static let someFailed = ExitCode(1)
    /// The command line or a configuration cannot be understood.
    public static let usage = ExitCode(64)
    /// The dataset is not as it should be.
    public static let data = ExitCode(65)
    /// Output cannot be written.
    public static let output = ExitCode(74)
}

/// Writes to standard error, where progress and messages go.
public func say(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Runs a command's body; errors become a line on standard error and an exit status. Nobody else writes
/// there: not the libraries either.
public func reporting(_ body: () throws -> Void) throws {
    silenceFFmpeg()
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch let error as LoopyError {
        say("error: \(error)")
        throw ExitCode(error.category.exitStatus)
    } catch {
        say("error: \(error)")
        throw StageExit.data
    }
}

/// Does what the command line asks of a stage with work units.
///
/// - Parameter summary: says what there is when the stage is finished; printed as its result.
public func drive(
    _ name: String, _ stage: some UnitStage, _ options: UnitOptions,
    summary: () throws -> String? = { nil }
) throws {
    if options.pending {
        let units = try ClipPlan.choose(options.unit, from: stage.units)
        for unit in longestFirst(units.filter { !stage.isFinished($0) }) { print(unit.name) }
        return
    }
    if options.prepare { return try prepare(name, stage) }
    if options.serve {
        try requireFingerprint(stage, options)
        let server = UnitServer(stage)
        while let line = readLine() { try server.build(UnitOrder(line: line)) }
        return
    }
    if !options.unit.isEmpty {
        try requireFingerprint(stage, options)
        let server = UnitServer(stage)
        let skipping = try parseSkips(options.skip)
        for unit in try ClipPlan.choose(options.unit, from: stage.units) {
            try server.build(UnitOrder(unit: unit.name, skip: skipping))
        }
        return
    }
    if options.finish {
        let missing = stage.pending().count
        guard missing == 0 else {
            throw LoopyError(
                .missing,
                "\(name): not finished yet, units that are missing: \(missing) (--pending names them); "
                    + "without --finish they are built first")
        }
    } else {
        try buildAll(name, stage, options)
    }
    let failures = try stage.finish()
    if let summary = try summary() { print(summary) }
    for failure in failures {
        say("failed: \(failure.path ?? failure.key ?? name): \(failure.error) [\(failure.reason)]")
    }
    if !failures.isEmpty { throw StageExit.someFailed }
}

private func longestFirst(_ units: [WorkUnit]) -> [WorkUnit] {
    units.enumerated().sorted { ($1.element.frames, $0.offset) < ($0.element.frames, $1.offset) }
        .map(\.element)
}

private func buildAll(_ name: String, _ stage: some UnitStage, _ options: UnitOptions) throws {
    let pending = stage.pending()
    if !pending.isEmpty { try prepare(name, stage) }
    try requireFingerprint(stage, options)
    let progress = ProgressLine(name, total: pending.count)
    try stage.build(pending) { built, inHand in
        progress.advance(to: built)
        progress.note(inHand.joined(separator: " "))
    }
    progress.end()
}

private func prepare(_ name: String, _ stage: some UnitStage) throws {
    var progress: ProgressLine?
    try stage.prepare { done, total in
        progress = progress ?? ProgressLine(name + ", preparing", total: total)
        progress?.advance(to: done)
    }
    progress?.end()
}

private func requireFingerprint(_ stage: some UnitStage, _ options: UnitOptions) throws {
    guard let expected = options.expect, let found = stage.fingerprint?.digest,
        !found.hasPrefix(expected)
    else { return }
    throw LoopyError(
        .mismatch,
        "would make \(found.prefix(8)), where \(expected.prefix(8)) is expected: this machine has "
            + "another version of Loopy, other networks or other settings: compare what "
            + "'loopy models' says on both")
}

private func parseSkips(_ skips: [String]) throws -> [String: String] {
    try Dictionary(
        skips.map { skip in
            let parts = skip.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw LoopyError(.configuration, "--skip '\(skip)': write item=reason")
            }
            return (parts[0], parts[1])
        }, uniquingKeysWith: { first, _ in first })
}
