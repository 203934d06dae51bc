import ArgumentParser
import Dataset
import Errors
import Foundation
import StageCommand
import TestSupport
import Testing

@Suite(.serialized) struct ReportingTests {
    @Test(arguments: LoopyError.Category.allCases)
    func anErrorIsALineAndItsCategorysStatus(category: LoopyError.Category) throws {
        let (errors, text) = try standardError {
            #expect(throws: ExitCode(category.exitStatus)) {
                try reporting {
                    throw LoopyError(category, "went wrong; do this", path: "/a/file")
                }
            }
        }
        _ = errors
        #expect(text == "error: /a/file: went wrong; do this\n")
        #expect([64, 65, 70, 74].contains(category.exitStatus))
    }

    @Test func anExitStatusPassesInSilence() throws {
        let (_, text) = try standardError {
            #expect(throws: StageExit.someFailed) { try reporting { throw StageExit.someFailed } }
        }
        #expect(text.isEmpty)
    }
}

@Suite(.serialized) struct DrivingTests {
    @Test func allUnitsAreBuiltAndTheStageFinished() throws {
        let stage = FakeStage()
        _ = try standardError { try drive("fake", stage, UnitOptions.parse([])) }
        #expect(stage.built == ["a", "c"])
        #expect(stage.isFinished)
    }

    @Test func failuresAreLinesAndStatusOne() throws {
        let stage = FakeStage()
        stage.failures = [
            Failure(stage: "fake", path: "/v/x.mp4", reason: "undecodable", error: "is broken"),
            Failure(stage: "fake", key: "0123", reason: "crashed", error: "took too long"),
        ]
        let (_, text) = try standardError {
            #expect(throws: StageExit.someFailed) {
                try drive("fake", stage, UnitOptions.parse([]))
            }
        }
        #expect(text.contains("failed: /v/x.mp4: is broken [undecodable]\n"))
        #expect(text.contains("failed: 0123: took too long [crashed]\n"))
    }

    @Test func namedUnitsAreBuiltAndTheStageIsNotFinished() throws {
        let stage = FakeStage()
        try drive(
            "fake", stage,
            UnitOptions.parse(["--unit", "b", "--unit", "c", "--skip", "x=its worker died, twice"]))
        // Unit b is there already.
        #expect(stage.built == ["c"])
        #expect(stage.skipped == ["x": "its worker died, twice"])
        #expect(!stage.isFinished)
    }

    @Test func askingWhatIsPendingDoesNothing() throws {
        let stage = FakeStage()
        try drive("fake", stage, UnitOptions.parse(["--pending"]))
        #expect(stage.built.isEmpty && !stage.isFinished)
    }

    @Test func aStageThatLacksUnitsIsNotFinished() throws {
        let stage = FakeStage()
        let error = #expect(throws: LoopyError.self) {
            try drive("fake", stage, UnitOptions.parse(["--finish"]))
        }
        #expect(error?.category == .missing)
        #expect(stage.built.isEmpty && !stage.isFinished)
    }

    @Test(arguments: [["--unit", "a"], []])
    func anotherFingerprintThanTheExpectedOneIsRefused(arguments: [String]) throws {
        let stage = FakeStage()
        let found = try #require(stage.fingerprint?.digest)
        let error = #expect(throws: LoopyError.self) {
            try drive("fake", stage, UnitOptions.parse(arguments + ["--expect", "0123abcd"]))
        }
        #expect(error?.category == .mismatch)
        #expect(error?.message.contains(found.prefix(8)) == true)
        #expect(stage.built.isEmpty)
        try drive("fake", stage, UnitOptions.parse(["--unit", "a", "--expect", found]))
        #expect(stage.built == ["a"])
    }

    @Test(arguments: [["--unit", "z"], ["--unit", "a", "--skip", "x"]])
    func whatCannotBeMeantIsAUsageError(arguments: [String]) throws {
        let stage = FakeStage()
        let error = #expect(throws: LoopyError.self) {
            try drive("fake", stage, UnitOptions.parse(arguments))
        }
        #expect(error?.category == .configuration)
        #expect(stage.built.isEmpty)
    }

    @Test func aReasonMayHoldAnEqualsSign() throws {
        let stage = FakeStage()
        try drive("fake", stage, UnitOptions.parse(["--unit", "a", "--skip", "x=a = b"]))
        #expect(stage.skipped == ["x": "a = b"])
    }
}

@Suite(.serialized) struct ProgressLineTests {
    @Test func offATerminalThereAreLinesAndNoControlCharacters() throws {
        let (_, text) = try standardError {
            let progress = ProgressLine("measure", total: 3)
            for _ in 0..<3 {
                progress.note("an item")
                progress.advance()
            }
            progress.end()
        }
        // The first and the last: others come every ten seconds.
        let lines = text.split(separator: "\n")
        #expect(lines.map { $0.prefix(12) } == ["measure  0/3", "measure  3/3"])
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
    }

    @Test func nothingToDoIsSaidByNothing() throws {
        let (_, text) = try standardError { ProgressLine("measure", total: 0).end() }
        #expect(text.isEmpty)
    }
}

/// A stage of three units, of which the second is finished.
private final class FakeStage: UnitStage {
    let units = ["a", "b", "c"].map { WorkUnit(name: $0, items: ["x"]) }
    var failures: [Failure] = []
    private(set) var built: [String] = []
    private(set) var skipped: [String: String] = [:]
    private(set) var isFinished = false

    var fingerprint: Fingerprint? {
        try? Fingerprint(name: "fake", version: 1, configuration: [String]())
    }

    func isFinished(_ unit: WorkUnit) -> Bool { unit.name == "b" || built.contains(unit.name) }

    func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) {
        onItems(["x"])
        built.append(unit.name)
        skipped.merge(skipping) { first, _ in first }
    }

    func finish() -> [Failure] {
        isFinished = true
        return failures
    }
}

/// Calls `body`, and returns what it wrote to standard error meanwhile.
private func standardError<Result>(_ body: () throws -> Result) throws -> (Result, String) {
    try withFolder { folder in
        let file = open(folder + "/errors", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let former = dup(STDERR_FILENO)
        dup2(file, STDERR_FILENO)
        defer { close(former) }
        let result = Swift.Result { try body() }
        dup2(former, STDERR_FILENO)
        close(file)
        let text = String(decoding: try bytes(of: folder + "/errors"), as: UTF8.self)
        return (try result.get(), text)
    }
}
