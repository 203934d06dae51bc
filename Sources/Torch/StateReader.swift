import Errors

/// Takes the tensors of a stored state one by one, and notes what is wrong with them.
struct StateReader {
    private let state: [String: Tensor]
    private var taken: Set<String> = []
    private var problems: [String] = []

    init(_ state: [String: Tensor]) { self.state = state }

    /// Nil where it is missing, or another.
    mutating func take(_ name: String, _ shape: [Int], _ type: ElementType) -> Tensor? {
        taken.insert(name)
        guard let found = state[name] else {
            problems.append("lacks \(name) \(shape)")
            return nil
        }
        guard found.shape == shape, found.type == type else {
            problems.append("\(name) is \(found), not \(type)\(shape)")
            return nil
        }
        return found
    }

    /// - Parameter whose: "the optimiser".
    /// - Throws: `LoopyError` `.mismatch` where anything was wrong, or was not taken.
    func finish(_ whose: String) throws(LoopyError) {
        let unused = state.keys.filter { !taken.contains($0) }.sorted()
        let problems = problems + unused.map { "has \($0), which is not used" }
        guard !problems.isEmpty else { return }
        let shown = 8
        let more = problems.count > shown ? "; and \(problems.count - shown) more" : ""
        throw LoopyError(
            .mismatch,
            "the state is not of \(whose): " + problems.prefix(shown).joined(separator: "; ") + more
        )
    }
}
