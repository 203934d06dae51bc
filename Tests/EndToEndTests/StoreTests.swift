import Foundation
import Storage
import TestSupport
import Testing

/// Datasets and sources in an object store, through the executables; and the faults of networks and stores.
@Suite(.serialized)
struct StoreEndToEndTests {
    init() { usePythonOfTests() }

    private static var python: String { Workbench.package + "/.deps/stores/bin/python" }

    /// Runs an S3 (`Scripts/test-store.py`) while `body` does, whose tools know where it is.
    private func withStore(_ options: String..., body: () throws -> Void) throws {
        let server = [Self.python, Workbench.package + "/Scripts/test-store.py"] + options
        try Workbench.whileRunning(server) { port in
            setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:\(port)", 1)
            setenv("AWS_ACCESS_KEY_ID", "loopy", 1)
            setenv("AWS_SECRET_ACCESS_KEY", "loopy", 1)
            try body()
        }
    }

    /// Copies between the store and folders.
    private func copy(_ from: String, _ to: String) throws {
        let program = """
            import fsspec, sys
            source, target = sys.argv[1:]
            store = fsspec.filesystem("s3")
            if source.startswith("s3://"): store.get(source + "/", target + "/", recursive=True)
            else: store.put(source + "/", target + "/", recursive=True)
            """
        let result = try Workbench.run(Self.python, ["-c", program, from, to])
        try #require(result.status == 0, "\(result.errors)")
    }

    /// Puts an object where a folder would be.
    private func mark(_ folder: String) throws {
        let program = """
            import fsspec, sys
            bucket, key = sys.argv[1].removeprefix("s3://").split("/", 1)
            fsspec.filesystem("s3").call_s3("put_object", Bucket=bucket, Key=key, Body=b"")
            """
        let result = try Workbench.run(Self.python, ["-c", program, folder])
        try #require(result.status == 0, "\(result.errors)")
    }

    private func arguments(_ bench: Workbench, _ pipeline: String, _ dataset: String) -> [String] {
        [
            "work", pipeline, "--input", "s3://loopy/videos", "--dataset", dataset,
            "--set", "run.scratch=\(bench.folder)/scratch-\(UUID().uuidString)",
        ]
    }

    @Test func workersOnAStoreWithFaultsMakeWhatOneWorkerMakesInAFolder() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 4)
        defer { bench.remove() }
        try withStore("--faults") {
            try copy(bench.videos, "s3://loopy/videos")
            // As web consoles make folders.
            for folder in ["videos/", "videos/later/", "many/"] { try mark("s3://loopy/" + folder) }
            let alone = try Workbench.run(
                Workbench.executables + "/loopy", arguments(bench, pipeline, bench.dataset("one")))
            #expect(alone.status == 0, "\(alone.errors)")

            let lost = try bench.start(arguments(bench, pipeline, "s3://loopy/many"))
            try Workbench.wait {
                try Workbench.isRunning("loopy-measure.*--serve") || !lost.isRunning
            }
            #expect(lost.isRunning)
            kill(lost.processIdentifier, SIGKILL)
            let logs = (0..<2).map { "\(bench.folder)/worker-\($0).log" }
            let workers = try logs.map {
                try bench.start(arguments(bench, pipeline, "s3://loopy/many"), log: $0)
            }
            for (worker, log) in zip(workers, logs) {
                worker.waitUntilExit()
                let said = try String(contentsOfFile: log, encoding: .utf8)
                #expect(worker.terminationStatus == 0, "\(said)")
            }
            try copy("s3://loopy/many", bench.dataset("many"))
            let other = try Workbench.differences(bench.dataset("one"), bench.dataset("many"))
            #expect(other == [".lock"])
            #expect(try bench.loopy("verify", bench.dataset("many")).status == 0)
            let made = try Workbench.contents(bench.dataset("many")).keys
            #expect(made.contains { $0.hasPrefix("shards/") && $0.hasSuffix(".tar") })
            let status = try bench.loopy("status", "--dataset", "s3://loopy/many")
            #expect(status.output.contains("sources     2"), "\(status.output)\(status.errors)")
        }
    }

    @Test func aStoreWithoutConditionsAndOneThatIsNotThereAreRefused() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 4)
        defer { bench.remove() }
        try withStore("--no-conditions") {
            let run = try Workbench.run(
                Workbench.executables + "/loopy", arguments(bench, pipeline, "s3://loopy/d"))
            #expect(run.status == 64)
            #expect(run.errors.contains("no conditional writes"), "\(run.errors)")
        }
        setenv("LOOPY_STORE_PATIENCE", "1", 1)
        defer { unsetenv("LOOPY_STORE_PATIENCE") }
        let run = try Workbench.run(
            Workbench.executables + "/loopy", arguments(bench, pipeline, "s3://loopy/d"))
        #expect(run.status == 74)
        #expect(run.errors.contains("s3://loopy/d"), "\(run.errors)")
        let training = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", "s3://loopy/d", "--set",
            "run.train=[a.yaml]")
        #expect(training.status == 64)
        #expect(training.errors.contains("copy the shards"), "\(training.errors)")
    }

    /// A dataset in a folder, of sources that are elsewhere and that a command brings.
    @Test func aSourceThatChangedSinceItWasListedIsAFailureAndTheOthersAreMeasured() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 4)
        defer { bench.remove() }
        try bench.write("cp \"${1#local://}\" \"$2\"\n", to: "fetch.sh")
        let settings = [
            "--set", "run.fetch=bash \(bench.folder)/fetch.sh", "--set",
            "run.scratch=\(bench.folder)/scratch",
        ]
        func work(_ stage: String) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                [
                    "work", pipeline, "--input", "local://" + bench.videos, "--dataset",
                    bench.dataset("d"), "--stage", stage,
                ] + settings)
        }
        let ingest = try work("ingest")
        #expect(ingest.status == 0, "\(ingest.errors)")
        let file = try #require(
            FileHandle(forWritingAtPath: bench.videos + "/single_face.mp4"))
        try file.write(contentsOf: Data([0x41]))
        let measure = try work("measure")
        #expect(measure.status == 0, "\(measure.errors)")
        let failures = try String(
            contentsOfFile: bench.dataset("d/failures.jsonl"), encoding: .utf8
        )
        .split(separator: "\n")
        #expect(failures.count == 1)
        #expect(failures.first?.contains("is not what was ingested") == true, "\(failures)")
        #expect(failures.first?.contains("local://\(bench.videos)/single_face.mp4") == true)
        let left = try FileManager.default.contentsOfDirectory(
            atPath: bench.folder + "/scratch/sources"
        ).filter { $0.hasSuffix(".source") }
        #expect(left == [])
    }
}
