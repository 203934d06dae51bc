/// A stage whose work falls into units. Any process may build any unit, in any order.
public protocol UnitStage {
    /// The plan, finished or not.
    var units: [WorkUnit] { get }

    /// The units of the plan that are not finished.
    func pending() -> [WorkUnit]

    /// Makes what belongs to the whole dataset and may take long, such as a codec, before units are
    /// built by however many workers.
    ///
    /// - Parameter onStep: called with how far it is, and of how many steps.
    func prepare(_ onStep: (_ done: Int, _ total: Int) -> Void) throws

    /// Builds one unit.
    ///
    /// - Parameters:
    ///   - skipping: items not to be tried, with the reason: they become failures.
    ///   - onItem: called with the name of each item before work on it begins.
    /// - Throws: when nothing of the unit can be done; what concerns one item becomes a failure.
    func build(_ unit: WorkUnit, skipping: [String: String], onItem: (String) -> Void) throws

    /// Called when every unit is finished.
    ///
    /// - Returns: what could not be done in this stage.
    func finish() throws -> [Failure]
}

extension UnitStage {
    public func prepare(_ onStep: (_ done: Int, _ total: Int) -> Void) {}
}
