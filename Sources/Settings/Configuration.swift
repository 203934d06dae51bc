import Errors
import Yams

/// Reads a stage's section of a pipeline file onto its defaults.
///
/// A pipeline file is a mapping from stages to settings, in the order in which they run; keys are
/// snake_case. What a file does not name keeps its default; what it names and nobody knows is an
/// error that suggests the nearest known name.
public enum Configuration {
    /// - Parameters:
    ///   - type: its `init()` gives the defaults.
    ///   - section: path of keys, such as `["extract", "keypoints"]`; absent sections are defaults.
    ///   - file: a pipeline file; nil for defaults alone.
    ///   - overrides: `section.key=value` settings; those of other sections are passed over.
    /// - Throws: `LoopyError` `.configuration`.
    public static func read<Settings: Codable>(
        _ defaults: Settings, section: [String], file: String?, overrides: [String] = []
    ) throws -> Settings {
        var node = try Node(tree: defaults)
        if let file {
            let root = try document(file)
            // A file that names no stage is the section itself.
            let keys = root.mapping?.keys.compactMap(\.string) ?? []
            let own = (node.mapping?.keys.compactMap(\.string) ?? []).map(snakeCase)
            let isPipeline =
                keys.isEmpty || keys.contains(section.first ?? "")
                || keys.contains { sections.contains($0) && !own.contains($0) }
            let given = isPipeline ? section.reduce(Optional(root), { $0?[$1] }) : root
            if let given, given.null == nil {
                node = try merge(given, onto: node, at: section.joined(separator: "."))
            }
        }
        for setting in overrides {
            let (path, value) = try parse(setting)
            guard path.starts(with: section), path.count > section.count else { continue }
            let rest = path.dropFirst(section.count)
            let nested = rest.reversed().reduce(value) {
                Node.mapping(Node.Mapping([(Node($1), $0)]))
            }
            node = try merge(nested, onto: node, at: section.joined(separator: "."))
        }
        do {
            return try YAMLDecoder().decode(Settings.self, from: node)
        } catch let error as DecodingError {
            throw LoopyError(
                .configuration, "\(section.joined(separator: ".")): \(explain(error))")
        }
    }

    /// The stages of a pipeline file, in its order: `["measure"]`, `["extract", "keypoints"]`.
    public static func stages(of file: String) throws -> [[String]] {
        guard let mapping = try document(file).mapping else { return [] }
        return mapping.flatMap { key, value -> [[String]] in
            let name = key.string ?? ""
            guard name == "extract" else { return [[name]] }
            return (value.mapping?.keys.map { [name, $0.string ?? ""] }) ?? []
        }
    }

    static func document(_ file: String) throws -> Node {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw LoopyError(.configuration, "\(file): cannot be read")
        }
        do {
            guard let node = try Yams.compose(yaml: text) else { return .mapping([:]) }
            guard node.mapping != nil else {
                throw LoopyError(.configuration, "\(file): is not a mapping")
            }
            return node
        } catch let error as YamlError {
            throw LoopyError(.configuration, "\(file): \(error)")
        }
    }

    private static func parse(_ setting: String) throws -> ([String], Node) {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[0].contains("."),
            let value = try? Yams.compose(yaml: parts[1])
        else {
            throw LoopyError(
                .configuration, "'\(setting)': settings are written stage.key=value")
        }
        let path = parts[0].split(separator: ".").map(String.init)
        guard sections.contains(path[0]) else {
            throw LoopyError(
                .configuration,
                "'\(setting)': there is no stage '\(path[0])'" + suggest(path[0], sections))
        }
        return (path, value)
    }

    /// What a pipeline file may hold at its top.
    private static let sections = [
        "run", "ingest", "measure", "select", "crop", "extract", "pack", "model", "train",
        "generate", "evaluate",
    ]

    /// Mappings are merged key by key; anything else replaces.
    private static func merge(_ given: Node, onto known: Node, at path: String) throws -> Node {
        guard let givenMapping = given.mapping, var result = known.mapping else { return given }
        for (key, value) in givenMapping {
            let name = key.string ?? ""
            let candidates = [name, camelCase(name)].map { Node($0) }
            guard let known = candidates.first(where: { result[$0] != nil }),
                let old = result[known]
            else {
                let names = Array(result.keys).compactMap(\.string).map(snakeCase)
                throw LoopyError(
                    .configuration, "\(path): unknown setting '\(name)'" + suggest(name, names))
            }
            result[known] = try merge(value, onto: old, at: path + "." + name)
        }
        return .mapping(result)
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .keyNotFound(_, let context), .dataCorrupted(let context):
            let path = context.codingPath.map {
                $0.intValue.map(String.init) ?? snakeCase($0.stringValue)
            }
            let detail = context.underlyingError.map { " (\($0))" } ?? ""
            return "'\(path.joined(separator: "."))': \(context.debugDescription)\(detail)"
        @unknown default: return "\(error)"
        }
    }

    private static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        return String(words.first ?? "") + words.dropFirst().map(\.capitalized).joined()
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}

extension Configuration {
    /// ", did you mean 'x'?" for the known name nearest to a wrong one.
    public static func suggest(_ name: String, _ known: [String]) -> String {
        let nearest = known.min { distance($0, name) < distance($1, name) }
        guard let nearest else { return "; there are no settings here" }
        if distance(nearest, name) <= max(2, name.count / 2) {
            return "; did you mean '\(nearest)'?"
        }
        return "; known are \(known.sorted().joined(separator: ", "))"
    }

    /// Levenshtein's.
    private static func distance(_ a: String, _ b: String) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let substitution = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}

extension Node {
    /// A value as the node that YAML would give for it.
    fileprivate init(tree value: some Encodable) throws {
        let text = try YAMLEncoder().encode(value)
        self = try Yams.compose(yaml: text) ?? .mapping([:])
    }
}
