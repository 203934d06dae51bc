import Errors
import Foundation
import Storage
import Synchronization
import Torch
import Weights

/// Writes a checkpoint, of which each process of a group has a part, while training goes on.
///
///     prepare()     on the first process: the folder, and files of their full length
///     start()       on all, when that is done: each writes its part, on a thread of its own
///     wait()        on all
///     commit()      on the first, when all are through
///
/// The files are the same however many processes write them.
package final class CheckpointWriter {
    /// A file of tensors, and what this process has of them.
    package struct File {
        let name: String
        let layout: SafeTensors.Layout
        fileprivate var pieces: [DistributedState.Piece]

        /// - Throws: `LoopyError` `.malformed` where names or sizes make no file.
        package init(_ name: String, _ state: DistributedState) throws {
            self.name = name
            // As PyTorch's users have it.
            layout = try SafeTensors.Layout(of: state.entries, metadata: ["format": "pt"])
            pieces = state.pieces
        }
    }

    package let step: Int
    private let run: RunDirectory
    private let state: [UInt8]
    private var files: [File]
    private let kept: TrainingSettings.Checkpoints
    private let outcome = Outcome()

    /// - Parameters:
    ///   - state: what is needed to go on besides tensors.
    ///   - kept: which checkpoints stay.
    package init(
        _ run: RunDirectory, step: Int, _ state: some Encodable, _ files: [File],
        keeping kept: TrainingSettings.Checkpoints
    ) throws {
        self.run = run
        self.step = step
        self.state = try JSONLines.document(state)
        self.files = files
        self.kept = kept
    }

    private var folder: String { run.partialCheckpoint(step) }

    /// - Throws: `LoopyError` `.output`.
    package func prepare() throws {
        run.removePartialCheckpoints()
        for file in files {
            try OutputFile.write(file.layout.header, to: folder + "/" + file.name)
            guard truncate(folder + "/" + file.name, off_t(file.layout.byteCount)) == 0 else {
                throw LoopyError.system(.output, "making room", folder + "/" + file.name)
            }
        }
    }

    /// Begins to write. What is written is as it is now, whatever becomes of the tensors: there are copies,
    /// unless there is no memory for them; then this returns when all is written.
    package func start() {
        let copies = Part(files: files, folder: folder)
        files = []
        guard copies.fitsInMemory else { return outcome.set(Result { try copies.write() }) }
        let part = copies.copied()
        let thread = Thread { [outcome] in outcome.set(Result { try part.write() }) }
        thread.name = "checkpoint"
        thread.start()
    }

    /// Whether this process has written its part.
    ///
    /// - Throws: `LoopyError` `.output` where it could not.
    package func isWritten() throws -> Bool {
        try outcome.value.withLock { $0 }?.get() != nil
    }

    /// Waits until this process has written its part.
    ///
    /// - Throws: `LoopyError` `.output` where it could not.
    package func wait() throws { try outcome.wait().get() }

    /// Gives the checkpoint its name, and removes the oldest ones.
    ///
    /// - Throws: `LoopyError` `.output`.
    package func commit() throws {
        try OutputFile.write(state, to: folder + "/state.json")
        try run.commitCheckpoint(step, keeping: kept)
    }

    /// How the writing ended.
    private final class Outcome: Sendable {
        let value = Mutex<Result<Void, any Error>?>(nil)
        private let ended = DispatchSemaphore(value: 0)

        func set(_ result: Result<Void, any Error>) {
            value.withLock { $0 = result }
            ended.signal()
        }

        func wait() -> Result<Void, any Error> {
            ended.wait()
            // Somebody may ask again.
            ended.signal()
            return value.withLock { $0 } ?? .success(())
        }
    }
}

/// What a process writes of a checkpoint's files.
private struct Part: @unchecked Sendable {
    // Unchecked: nobody else knows the copies.
    var files: [CheckpointWriter.File]
    let folder: String

    /// Whether the machine has memory for copies, with as much to spare.
    var fitsInMemory: Bool {
        let bytes = files.flatMap(\.pieces).reduce(0) {
            $0 + $1.numbers.count * $1.numbers.type.size
        }
        return Memory.available.map { bytes < $0 / 2 } ?? true
    }

    func copied() -> Part {
        var part = self
        withoutGradient {
            for file in part.files.indices {
                for index in part.files[file].pieces.indices {
                    let numbers = part.files[file].pieces[index].numbers.detached()
                    part.files[file].pieces[index].numbers =
                        numbers.device == .cpu ? numbers.copy() : numbers.to(.cpu)
                }
            }
        }
        return part
    }

    func write() throws {
        for file in files {
            let path = folder + "/" + file.name
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw LoopyError.system(.output, "opening it", path) }
            defer { close(descriptor) }
            for piece in file.pieces {
                let start =
                    file.layout.range(of: piece.name).lowerBound
                    + piece.start * piece.numbers.type.size
                try piece.numbers.withBytes { try write($0, at: start, descriptor, path) }
            }
            guard fsync(descriptor) == 0 else { throw LoopyError.system(.output, "syncing", path) }
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer, at start: Int, _ descriptor: Int32, _ path: String
    ) throws {
        var written = 0
        while written < bytes.count {
            // A call takes 2 GiB at most.
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...].prefix(1 << 30))
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(start + written))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw LoopyError.system(.output, "writing", path) }
            written += count
        }
    }
}
