/// A section of a pipeline file, in the order in which the sections are documented and stages run.
///
/// A stage has the name of its section, and its executable is called `loopy-` and that name.
public enum Section: String, CaseIterable, Sendable {
    case run, ingest, measure, select, crop, extract, pack, model, train, generate, evaluate

    public static let names = allCases.map(\.rawValue)

    /// How a stage that `loopy run` runs does its work.
    public enum Stage: Sendable {
        /// The stage does its work as one piece.
        case whole
        /// The stage has units, which are shared out to worker processes.
        case units
    }

    /// Nil for sections that other commands read.
    public var stage: Stage? {
        switch self {
        case .ingest, .select: .whole
        case .measure, .crop, .extract, .pack: .units
        case .run, .model, .train, .generate, .evaluate: nil
        }
    }
}
