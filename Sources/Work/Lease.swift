import Errors
import Foundation
import Storage
import Synchronization

/// What a worker has said about a piece of work that it does.
public struct LeaseNote: Codable, Sendable, Equatable {
    public var worker: WorkerName
    public var stage: String
    public var unit: String
    /// When the claim was made, by the clock of the work folder, in seconds.
    public var since: Double
    /// What the stage makes here; workers that would make something else are not to join in.
    public var fingerprint: String?
    /// What of the unit is being worked on; of several items the first.
    public var item: String?
    /// How often a worker was lost over an item.
    public var losses: [String: Int] = [:]
    /// Whether the unit is finished, and the claim stays only until all have seen that.
    public var isFinished: Bool?
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
package struct Leases: Sendable {
    let folder: any WorkFolder
    let worker: WorkerName
    /// The seconds after which an untouched claim has lapsed.
    let lapse: Double
    /// What the worker makes units with, once it knows.
    var fingerprint: String?

    package init(_ folder: any WorkFolder, worker: WorkerName, lapse: Double) {
        self.folder = folder
        self.worker = worker
        self.lapse = lapse
    }

    /// Claims a unit of a stage.
    ///
    /// - Returns: nil when somebody else works on it.
    /// - Throws: `LoopyError` `.output` when claims cannot be written.
    package func take(_ stage: String, _ unit: String) throws -> Lease? {
        let name = Self.name(stage, unit)
        let now = try folder.now()
        let note = LeaseNote(
            worker: worker, stage: stage, unit: unit, since: now, fingerprint: fingerprint)
        let lease = Lease(note, name, in: folder)
        if try lease.write(isFirst: true) { return lease }
        guard let touched = try folder.modified(name), now - touched > lapse else { return nil }
        let former = try folder.read(name).flatMap {
            try? JSONDecoder().decode(LeaseNote.self, from: $0)
        }
        guard try folder.remove(name) else { return nil }
        lease.inherit(former)
        return try lease.write(isFirst: true) ? lease : nil
    }

    private static func name(_ stage: String, _ unit: String) -> String {
        "leases/\(stage)/\(unit).json"
    }

    /// The claims to units of a stage whose workers live, in a fixed order.
    package func held(_ stage: String) throws -> [LeaseNote] {
        try Self.notes(folder, stage, within: lapse, now: folder.now()).map(\.note)
    }

    /// Removes what is left of claims to a stage's units when all are finished.
    func forget(_ stage: String, but unit: String) throws {
        let kept = Self.name(stage, unit)
        for file in try folder.files(in: "leases/" + stage) where file.name != kept {
            try folder.remove(file.name)
        }
    }

    /// Claims that were touched within some seconds, with the time at which each was.
    static func notes(
        _ folder: any WorkFolder, _ stage: String? = nil, within seconds: Double, now: Double
    ) throws -> [(note: LeaseNote, touched: Double)] {
        try folder.files(in: stage.map { "leases/" + $0 } ?? "leases").compactMap { file in
            // It may go while it is looked at.
            guard file.name.hasSuffix(".json"), now - file.modified <= seconds,
                let data = try folder.read(file.name),
                let note = try? JSONDecoder().decode(LeaseNote.self, from: data),
                note.isFinished != true
            else { return nil }
            return (note, file.modified)
        }
    }
}

/// A claim that is held.
package final class Lease: Sendable {
    private let name: String
    private let folder: any WorkFolder
    private let state: Mutex<LeaseNote>
    /// Taken while the file is changed: what is given back must not come again.
    private let isGivenBack = Mutex(false)

    init(_ note: LeaseNote, _ name: String, in folder: any WorkFolder) {
        self.name = name
        self.folder = folder
        state = Mutex(note)
    }

    package var note: LeaseNote { state.withLock { $0 } }

    fileprivate func write(isFirst: Bool) throws -> Bool {
        try folder.write(JSONLines.document(note), to: name, isFirst: isFirst)
    }

    /// Counts the worker that held the claim before as lost.
    fileprivate func inherit(_ former: LeaseNote?) {
        state.withLock { note in
            note.losses = former?.losses ?? [:]
            if let item = former?.item { note.losses[item, default: 0] += 1 }
        }
    }

    /// Changes what the claim says. One that was lost meanwhile is somebody else's, and stays as it is.
    ///
    /// - Parameter canWait: until the claim is touched, where writing takes long.
    package func update(canWait: Bool = false, _ change: (inout LeaseNote) -> Void) {
        state.withLock { change(&$0) }
        if !canWait || !folder.isRemote { touch() }
    }

    /// Says that the worker lives.
    package func touch() {
        isGivenBack.withLock { isGivenBack in
            if !isGivenBack, isHeld { _ = try? write(isFirst: false) }
        }
    }

    /// Gives the claim back.
    ///
    /// - Parameter isFinished: whether the unit is. Where others do not see that at once, the claim stays
    ///   until it lapses, and says so.
    package func release(isFinished: Bool = false) {
        isGivenBack.withLock { isGivenBack in
            guard !isGivenBack, isHeld else { return }
            isGivenBack = true
            if isFinished, folder.isRemote {
                state.withLock { ($0.isFinished, $0.item) = (true, nil) }
                _ = try? write(isFirst: false)
            } else {
                _ = try? folder.remove(name)
            }
        }
    }

    private var isHeld: Bool {
        guard let data = try? folder.read(name),
            let note = try? JSONDecoder().decode(LeaseNote.self, from: data)
        else { return false }
        return note.worker == self.note.worker
    }
}
