import Errors
import Foundation
import Storage
import Synchronization

/// What a worker has said about a piece of work that it does.
public struct LeaseNote: Codable, Sendable, Equatable {
    public var worker: WorkerName
    public var stage: String
    public var unit: String
    /// When the claim was made, by the clock of the file system, in seconds.
    public var since: Double
    /// What the stage makes here; workers that would make something else are not to join in.
    public var fingerprint: String?
    /// What of the unit is being worked on.
    public var item: String?
    /// How often a worker was lost over an item.
    public var losses: [String: Int] = [:]
}

extension LeaseNote {
    /// Writes the note, whole or not at all. It is not synced: a claim that a power cut loses claims nothing.
    ///
    /// - Parameter isFirst: only where there is no file of that name.
    /// - Returns: whether it was written.
    fileprivate func write(to path: String, isFirst: Bool) throws -> Bool {
        let temporary = "\(path).\(worker).new"
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        do {
            try Data(JSONLines.document(self)).write(to: URL(fileURLWithPath: temporary))
        } catch {
            throw LoopyError(
                .output, "cannot be written (\(error.localizedDescription))", path: path)
        }
        return isFirst
            ? try OutputFile.renameFirst(temporary, to: path) : rename(temporary, path) == 0
    }
}

/// A process on a machine.
public struct WorkerName: Codable, Sendable, Hashable, CustomStringConvertible {
    public var host: String
    public var process: Int32
    /// The number of the worker in its process.
    public var number: Int

    public var description: String { "\(host)-\(process)-\(number)" }

    package static func here(_ number: Int) -> WorkerName {
        WorkerName(host: OutputFile.machine, process: getpid(), number: number)
    }
}

/// The claims of workers, on one machine or many, to pieces of work that others are to leave alone
/// meanwhile. A claim is a file, which its worker touches now and then; one that was not touched for a
/// while has lapsed, and anybody takes it over.
///
/// Leases only save work: two workers may do the same, after a long pause of one of them for example.
/// That the result is right is the commit's to see to.
public struct Leases: Sendable {
    let folder: String
    let worker: WorkerName
    /// The seconds after which an untouched claim has lapsed.
    let lapse: Double
    /// What the worker makes units with, once it knows.
    var fingerprint: String?

    package init(_ folder: String, worker: WorkerName, lapse: Double) {
        self.folder = folder
        self.worker = worker
        self.lapse = lapse
    }

    /// Claims a unit of a stage.
    ///
    /// - Returns: nil when somebody else works on it.
    /// - Throws: `LoopyError` `.output` when claims cannot be written.
    package func take(_ stage: String, _ unit: String) throws -> Lease? {
        let path = "\(folder)/\(stage)/\(unit).json"
        let now = try now()
        var note = LeaseNote(
            worker: worker, stage: stage, unit: unit, since: now, fingerprint: fingerprint)
        if let touched = modified(path), now - touched > lapse {
            let former = try? JSONLines.readDocument(LeaseNote.self, from: path)
            // Whoever renames it has it.
            let aside = "\(path).\(worker)"
            guard rename(path, aside) == 0 else { return nil }
            unlink(aside)
            note.losses = former?.losses ?? [:]
            if let item = former?.item { note.losses[item, default: 0] += 1 }
        }
        return try note.write(to: path, isFirst: true) ? Lease(note, path) : nil
    }

    /// Where the file system's clock stands, in seconds: machines' clocks differ.
    package func now() throws -> Double {
        let clock = "\(folder)/.clock-\(worker)"
        try OutputFile.makeFolder(folder)
        let file = open(clock, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw LoopyError.system(.output, "creating it", clock) }
        defer {
            close(file)
            unlink(clock)
        }
        var information = stat()
        guard futimens(file, nil) == 0, fstat(file, &information) == 0 else {
            throw LoopyError.system(.output, "touching it", clock)
        }
        return seconds(information.st_mtim)
    }

    /// The claims to units of a stage whose workers live, in a fixed order.
    package func held(_ stage: String) throws -> [LeaseNote] {
        let now = try now()
        return Self.notes(folder, stage).filter { now - $0.touched <= lapse }.map(\.note)
    }

    /// All claims, with the time at which each was touched.
    static func notes(
        _ folder: String, _ stage: String? = nil
    ) -> [(note: LeaseNote, touched: Double)] {
        func names(_ folder: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        }
        let stages = stage.map { [$0] } ?? names(folder)
        return stages.flatMap { stage in
            names(folder + "/" + stage).filter { $0.hasSuffix(".json") }.compactMap { name in
                let path = "\(folder)/\(stage)/\(name)"
                // It may go while it is looked at.
                guard let touched = modified(path),
                    let note = try? JSONLines.readDocument(LeaseNote.self, from: path)
                else { return nil }
                return (note, touched)
            }
        }
    }
}

/// A claim that is held.
package final class Lease: Sendable {
    private let path: String
    private let state: Mutex<LeaseNote>

    init(_ note: LeaseNote, _ path: String) {
        self.path = path
        state = Mutex(note)
    }

    package var note: LeaseNote { state.withLock { $0 } }

    /// Changes what the claim says. One that was lost meanwhile is somebody else's, and stays as it is.
    package func update(_ change: (inout LeaseNote) -> Void) {
        state.withLock { note in
            change(&note)
            guard isHeld(note.worker) else { return }
            _ = try? note.write(to: path, isFirst: false)
        }
    }

    /// Says that the worker lives.
    package func touch() {
        guard isHeld(note.worker) else { return }
        utimensat(AT_FDCWD, path, nil, 0)
    }

    package func release() {
        if isHeld(note.worker) { unlink(path) }
    }

    private func isHeld(_ worker: WorkerName) -> Bool {
        (try? JSONLines.readDocument(LeaseNote.self, from: path))?.worker == worker
    }
}

/// When a file was changed, in seconds; nil where there is none.
func modified(_ path: String) -> Double? {
    var information = stat()
    guard stat(path, &information) == 0 else { return nil }
    return seconds(information.st_mtim)
}

private func seconds(_ time: timespec) -> Double {
    Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
