import Errors
import Foundation

/// A stage whose work falls into units. Any process may build any unit, in any order.
public protocol UnitStage {
    /// The plan, finished or not.
    var units: [WorkUnit] { get }

    /// What the results depend on; nil while that is not known, because the stage is to be prepared first.
    var fingerprint: Fingerprint? { get }

    /// Whether there is nothing to do for a unit, now: another process may have built it meanwhile.
    func isFinished(_ unit: WorkUnit) -> Bool

    /// Makes what belongs to the whole dataset and may take long, such as a codec, before units are
    /// built by however many workers.
    ///
    /// - Parameter onStep: called with how far it is, and of how many steps.
    func prepare(_ onStep: (_ done: Int, _ total: Int) -> Void) throws

    /// Builds one unit.
    ///
    /// - Parameters:
    ///   - skipping: items not to be tried, with the reason: they become failures.
    ///   - alone: whether items must be worked on one at a time: a process has died of one of several.
    ///   - onItems: called with the names of all items in hand before work on a further one begins, and where work
    ///     on one has ended and none takes its place.
    /// - Throws: when nothing of the unit can be done; what concerns one item becomes a failure.
    func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) throws

    /// Builds units, in this process alone.
    ///
    /// - Parameter onChange: called with how many are built, and with the names of the units or items in hand.
    func build(_ units: [WorkUnit], onChange: (_ built: Int, _ inHand: [String]) -> Void) throws

    /// Called when every unit is finished.
    ///
    /// - Returns: what could not be done in this stage.
    func finish() throws -> [Failure]
}

extension UnitStage {
    /// The units of the plan that are not finished.
    public func pending() -> [WorkUnit] { units.filter { !isFinished($0) } }

    public func prepare(_ onStep: (_ done: Int, _ total: Int) -> Void) {}

    public func build(
        _ units: [WorkUnit], onChange: (_ built: Int, _ inHand: [String]) -> Void
    ) throws {
        for (number, unit) in units.enumerated() {
            try build(unit, skipping: [:], alone: false) { onChange(number, $0) }
        }
        onChange(units.count, [])
    }

    /// Builds a unit that nothing is known of.
    public func build(_ unit: WorkUnit) throws {
        try build(unit, skipping: [:], alone: false) { _ in }
    }
}

/// A line on a worker's standard input: what to build.
public struct UnitOrder: Codable, Sendable, Equatable {
    public var unit: String
    /// Items not to be tried, with the reason.
    public var skip: [String: String]
    /// Whether items must be worked on one at a time.
    public var alone: Bool

    public init(unit: String, skip: [String: String] = [:], alone: Bool = false) {
        (self.unit, self.skip, self.alone) = (unit, skip, alone)
    }

    /// - Throws: `LoopyError` `.configuration` for a line that is no order.
    public init(line: String) throws {
        do {
            self = try JSONDecoder().decode(UnitOrder.self, from: Data(line.utf8))
        } catch {
            throw LoopyError(.configuration, "'\(line)' names no unit (\(error))")
        }
    }
}
