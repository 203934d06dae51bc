import Dataset
import Foundation

/// Builds units as they are asked for, and says on standard output what it does: so a supervisor knows
/// what a worker died of.
///
///     fingerprint 3f1c…    what the units are made with, at the beginning
///     item KEY ...         the items in hand, before work on a further one begins, and when they are fewer
///     unit NAME            a unit is finished
final class UnitServer<Stage: UnitStage> {
    private let stage: Stage
    private let units: [String: WorkUnit]

    init(_ stage: Stage) {
        self.stage = stage
        units = Dictionary(stage.units.map { ($0.name, $0) }, uniquingKeysWith: { one, _ in one })
        if let fingerprint = stage.fingerprint { say("fingerprint \(fingerprint.digest)") }
    }

    /// Builds a unit, where nobody has built it meanwhile, and no change of the dataset has taken it out of
    /// the plan.
    func build(_ order: UnitOrder) throws {
        if let unit = units[order.unit], !stage.isFinished(unit) {
            try stage.build(unit, skipping: order.skip, alone: order.alone) {
                self.say("item " + $0.joined(separator: " "))
            }
        }
        say("unit \(order.unit)")
    }

    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
