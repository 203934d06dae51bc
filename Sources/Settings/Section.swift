/// A section of a pipeline file, in the order in which the sections are documented and stages run.
public enum Section: String, CaseIterable, Sendable {
    case run, ingest, measure, select, crop, extract, pack, model, train, generate, evaluate

    static let names = allCases.map(\.rawValue)
}
