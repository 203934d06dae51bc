import Dataset
import Errors
import Foundation
import Synchronization

/// A unit that a worker of ours has claimed.
package final class Assignment: Sendable {
    package let unit: String
    package let lease: Lease
    private let began = ContinuousClock.now
    private let state: Mutex<(deaths: [String: Int], skip: [String: String], alone: Bool)>

    package init(_ unit: String, _ lease: Lease) {
        self.unit = unit
        self.lease = lease
        let lost = lease.note.losses.filter { $0.value >= Self.mostLosses }
        let skip = lost.mapValues { "its worker was lost, \($0) times" }
        state = Mutex((deaths: [:], skip: skip, alone: !lease.note.losses.isEmpty))
    }

    /// A machine that is taken away tells less of an item than a process that dies of it.
    private static let mostLosses = 3
    private static let mostDeaths = 2

    package var order: UnitOrder {
        state.withLock { UnitOrder(unit: unit, skip: $0.skip, alone: $0.alone) }
    }
    var seconds: Double { (ContinuousClock.now - began) / .seconds(1) }

    /// Counts a death; an item that two processes have died of is not tried again. Where there were several, one is
    /// worked on at a time from then on, to find out which it is.
    ///
    /// - Parameter items: those in hand; none for a death before the first.
    /// - Returns: false when the unit cannot be built at all.
    func count(deathOver items: [String], _ reason: String) -> Bool {
        state.withLock { state in
            guard items.count < 2 else {
                state.alone = true
                return true
            }
            let item = items.first
            let count = state.deaths[item ?? "", default: 0] + 1
            state.deaths[item ?? ""] = count
            guard count >= Self.mostDeaths else { return true }
            guard let item else { return false }
            state.skip[item] = "\(reason), twice"
            return true
        }
    }
}

/// The units of a stage that are to be built, shared out among the workers of this command and those of
/// others: who asks for one gets the longest that nobody works on.
package actor UnitQueue {
    private let stage: String
    /// The units that nobody has asked for in this round, the next one last.
    private var waiting: [String] = []
    /// The units that others work on.
    private var elsewhere: [String] = []
    /// The seconds that finished units took.
    private var durations: [Double] = []
    /// How many are still to be given out.
    private var left: Int
    /// How the units that are left are found anew, how often, and when they were.
    private var refreshing: (interval: Duration, units: @Sendable () async throws -> [String])?
    private var offered = ContinuousClock.now

    /// A unit that takes others so much longer than it takes us, and at least so many seconds, is begun
    /// here as well when there is nothing else to do: whoever is ready first has made it.
    private static let stragglerFactor = 3.0
    private static let stragglerSeconds = 60.0

    /// Where workers choose at random, not to get into each other's way, they do so among this many at least.
    private static let fewest = 64

    /// - Parameter most: how many units are given out at most.
    package init(_ stage: String, most: Int = .max) {
        self.stage = stage
        left = most
    }

    /// Begins a round with the units that are not finished.
    ///
    /// - Parameter units: in the order in which they are to be begun.
    package func offer(_ units: [String]) {
        waiting = units.reversed()
        elsewhere = []
        offered = .now
    }

    /// Has the units that are not finished looked for again during a round.
    ///
    /// - Parameter interval: nil for never.
    func refresh(
        every interval: Duration?, _ units: @escaping @Sendable () async throws -> [String]
    ) {
        refreshing = interval.map { ($0, units) }
    }

    package func next(_ leases: Leases) async throws -> Assignment? {
        guard left > 0 else { return nil }
        if let refreshing, ContinuousClock.now - offered > refreshing.interval, !waiting.isEmpty {
            // Others who ask meanwhile go on with what there is.
            offered = .now
            try await offer(refreshing.units())
        }
        while let unit = pop() {
            if let lease = try leases.take(stage, unit) { return give(unit, lease) }
            elsewhere.append(unit)
        }
        guard durations.count >= 3 else { return nil }
        let usual = durations.sorted()[durations.count / 2]
        let patience = max(Self.stragglerSeconds, Self.stragglerFactor * usual)
        let now = try leases.folder.now()
        let late = try leases.held(stage).filter { now - $0.since > patience }.map(\.unit)
        for unit in elsewhere where late.contains(unit) {
            if let lease = try leases.take(stage, unit + ".again") {
                elsewhere.removeAll { $0 == unit }
                return give(unit, lease)
            }
        }
        return nil
    }

    /// The next unit; where finding out that others have it takes long, one of the longest, so that workers do
    /// not all ask for the same.
    private func pop() -> String? {
        guard refreshing != nil else { return waiting.popLast() }
        let longest = waiting.indices.suffix(max(Self.fewest, waiting.count / 4))
        return longest.randomElement().map { waiting.remove(at: $0) }
    }

    private func give(_ unit: String, _ lease: Lease) -> Assignment {
        left -= 1
        return Assignment(unit, lease)
    }

    package func finished(_ assignment: Assignment) { durations.append(assignment.seconds) }
}
