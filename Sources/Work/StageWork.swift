import Dataset
import Errors
import Foundation
import Storage
import Synchronization

/// The work on a dataset that this command shares with others like it, on this machine and elsewhere: who
/// does what, and what is done only once.
final class StageWork: Sendable {
    private let place: DatasetPlace
    private let settings: RunSettings
    private let leases: Leases
    /// When this command began, by the work folder's clock: what others have done since need not be
    /// done again.
    private let began: Double
    private let held = Mutex<[ObjectIdentifier: Lease]>([:])

    init(_ place: DatasetPlace, _ settings: RunSettings) throws {
        self.place = place
        self.settings = settings
        leases = Leases(place.workFolder, worker: .here(0), lapse: settings.lapse)
        began = try place.workFolder.now()
    }

    /// Runs `body` while our claims are kept alive.
    func keepingAlive<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        // Not a task: its threads may all be busy with a store.
        let heart = DispatchSource.makeTimerSource(queue: .global())
        heart.schedule(deadline: .now(), repeating: settings.lapse / 8)
        heart.setEventHandler { [self] in
            for lease in held.withLock({ Array($0.values) }) { lease.touch() }
        }
        heart.resume()
        defer { heart.cancel() }
        return try await body()
    }

    private func hold(_ lease: Lease) { held.withLock { $0[ObjectIdentifier(lease)] = lease } }

    private func release(_ lease: Lease, isFinished: Bool = false) {
        _ = held.withLock { $0.removeValue(forKey: ObjectIdentifier(lease)) }
        lease.release(isFinished: isFinished)
    }

    /// Does what one worker does for all, unless another has done it since this command began; waits
    /// while another does it.
    func once(_ stage: String, _ step: String, _ body: () async throws -> Void) async throws {
        let done = "done/\(stage)-\(step)"
        func isDone() throws -> Bool {
            guard let time = try place.workFolder.modified(done) else { return false }
            return time > began
        }
        while try !isDone() {
            if let lease = try leases.take(stage, step) {
                hold(lease)
                defer { release(lease) }
                if try isDone() { break }
                try place.pull()
                try await body()
                try place.push()
                try place.workFolder.write([], to: done, isFirst: false)
                if place.isRemote { try leases.forget(stage, but: step) }
                return
            }
            try await Task.sleep(for: pause)
        }
        try place.pull()
    }

    private var pause: Duration { .seconds(min(2, settings.lapse / 4)) }

    // MARK: Units

    /// Builds the units of a stage until none is left, whoever has built them.
    ///
    /// - Parameters:
    ///   - device: what the stage computes on.
    ///   - chosen: the units that are to be built; all of the stage's when empty.
    ///   - most: how many units this command builds at most.
    /// - Returns: how many units this command has built, and whether all of the stage's are there.
    func build(
        _ stage: String, _ process: StageProcess, device: String, only chosen: [String] = [],
        most: Int = .max,
        _ onEvent: @escaping @Sendable (PipelineRun.Event) -> Void
    ) async throws -> (built: Int, isComplete: Bool) {
        let queue = UnitQueue(stage, most: most)
        // Where workers do not see what others have finished, they look now and then.
        let interval = place.isRemote ? Duration.seconds(settings.lapse / 2) : nil
        var built = 0
        var isFirst = true
        while true {
            let units = try await pending(stage, process, chosen)
            if isFirst {
                if !units.isEmpty { try await prepare(stage, process) }
                try log(0).add(stage, pending: units.count)
                onEvent(.stageBegan(stage, units: units.count))
            }
            isFirst = false
            guard !units.isEmpty else { return (built, chosen.isEmpty) }
            guard built < most else { return (built, false) }
            await queue.offer(units)
            await queue.refresh(every: interval) { [self] in
                try await pending(stage, process, chosen)
            }
            let shares = settings.shares(
                units: min(units.count, most - built), device: device)
            var process = process
            process.threads = shares.threads
            let more = try await build(queue, stage, process, workers: shares.workers, onEvent)
            built += more
            // What others are at is waited for.
            if more == 0 { try await Task.sleep(for: pause) }
        }
    }

    /// The units that are not finished.
    private func pending(
        _ stage: String, _ process: StageProcess, _ chosen: [String]
    ) async throws -> [String] {
        try place.pull()
        let names = chosen.flatMap { ["--unit", $0] }
        let (end, units) = try await process.lines(["--pending"] + names)
        guard end == .exited(0) else { throw PipelineRun.error(stage, end) }
        return units
    }

    private func prepare(_ stage: String, _ process: StageProcess) async throws {
        try await once(stage, "prepare") {
            let end = try await process.run(["--prepare"])
            guard end == .exited(0) else { throw PipelineRun.error(stage, end) }
        }
    }

    private func log(_ worker: Int) -> WorkLog {
        WorkLog(place.workFolder, worker: .here(worker))
    }

    /// - Returns: how many units were built.
    private func build(
        _ queue: UnitQueue, _ stage: String, _ process: StageProcess, workers: Int,
        _ onEvent: @escaping @Sendable (PipelineRun.Event) -> Void
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<workers {
                group.addTask { [self] in
                    let worker = UnitWorker(
                        stage: stage, process: process, queue: queue,
                        leases: Leases(
                            place.workFolder, worker: .here(number), lapse: settings.lapse),
                        log: log(number), timeLimit: settings.timeLimit, hold: hold,
                        release: { [self] in release($0) },
                        finish: { [self] lease in
                            try place.pushUnits()
                            release(lease, isFinished: true)
                        }, onEvent: onEvent)
                    return try await worker.run()
                }
            }
            return try await group.reduce(0, +)
        }
    }
}

/// Builds one unit after the other in a process of its own, which is started anew where it dies.
private final class UnitWorker: Sendable {
    let stage: String
    let process: StageProcess
    let queue: UnitQueue
    let leases: Leases
    let log: WorkLog
    let timeLimit: Double
    let hold: @Sendable (Lease) -> Void
    let release: @Sendable (Lease) -> Void
    let finish: @Sendable (Lease) throws -> Void
    let onEvent: @Sendable (PipelineRun.Event) -> Void
    private let current = Mutex<Assignment?>(nil)
    private let fingerprint = Mutex<String?>(nil)
    private let built = Mutex(0)

    init(
        stage: String, process: StageProcess, queue: UnitQueue, leases: Leases, log: WorkLog,
        timeLimit: Double, hold: @escaping @Sendable (Lease) -> Void,
        release: @escaping @Sendable (Lease) -> Void,
        finish: @escaping @Sendable (Lease) throws -> Void,
        onEvent: @escaping @Sendable (PipelineRun.Event) -> Void
    ) {
        (self.stage, self.process, self.queue, self.leases) = (stage, process, queue, leases)
        (self.log, self.timeLimit, self.hold, self.release) = (log, timeLimit, hold, release)
        (self.finish, self.onEvent) = (finish, onEvent)
    }

    /// - Returns: how many units were built.
    func run() async throws -> Int {
        defer { if let assignment = current.withLock({ $0 }) { release(assignment.lease) } }
        while try await take() != nil {
            let again = Mutex(true)
            let end = try await process.serve(timeLimit: timeLimit) { [self] in
                // The one that is claimed already: the first, or the one that a process has died of.
                if again.exchange(false) { return current.withLock { $0 }?.order }
                return try await take()?.order
            } onEvent: { [self] in
                try handle($0)
            }
            switch end {
            case .exited(0): break
            case .exited: throw PipelineRun.error(what, end)
            case .died(let reason, let items):
                onEvent(.workerDied(stage: stage, items: items, reason: reason))
                let assignment = current.withLock { $0 }
                guard assignment?.count(deathOver: items, reason) ?? true else {
                    throw PipelineRun.error(what, end)
                }
            }
        }
        return built.withLock { $0 }
    }

    private var what: String {
        current.withLock { $0 }.map { "\(stage), unit \($0.unit)" } ?? stage
    }

    /// The unit in hand, or the next one.
    private func take() async throws -> Assignment? {
        if let assignment = current.withLock({ $0 }) { return assignment }
        var leases = leases
        leases.fingerprint = fingerprint.withLock { $0 }
        guard let assignment = try await queue.next(leases) else { return nil }
        hold(assignment.lease)
        current.withLock { $0 = assignment }
        return assignment
    }

    private func handle(_ event: StageProcess.WorkerEvent) throws {
        guard let assignment = current.withLock({ $0 }) else { return }
        switch event {
        case .fingerprint(let found):
            fingerprint.withLock { $0 = found }
            assignment.lease.update { $0.fingerprint = found }
            try requireSame(found)
        case .items(let items):
            assignment.lease.update(canWait: true) { $0.item = items.first }
            onEvent(.inHand(items))
        case .unitFinished:
            try log.add(stage, unit: assignment.unit, seconds: assignment.seconds)
            current.withLock { $0 = nil }
            built.withLock { $0 += 1 }
            try finish(assignment.lease)
            onEvent(.unitFinished)
            Task { await queue.finished(assignment) }
        }
    }

    /// - Throws: `LoopyError` `.mismatch` when another worker makes something else of this stage.
    private func requireSame(_ found: String) throws {
        for other in try leases.held(stage) {
            guard let theirs = other.fingerprint, theirs != found else { continue }
            throw LoopyError(
                .mismatch,
                "\(stage): would make \(found.prefix(8)) here, and \(other.worker.host) makes "
                    + "\(theirs.prefix(8)): this machine has another version of Loopy, other networks "
                    + "or other settings. Use the same on all, or wait until the others have ended")
        }
    }
}

extension Mutex where Value == Bool {
    fileprivate func exchange(_ value: Bool) -> Bool {
        withLock { state in
            defer { state = value }
            return state
        }
    }
}
