import Errors
import Yams

/// Reads a stage's section of a pipeline file onto its defaults.
///
/// A pipeline file is a mapping from stages to settings, in the order in which they run; keys are
/// snake_case. What a file does not name keeps its default; what it names and nobody knows is an
/// error that suggests the nearest known name, and so is a value that is not allowed.
public enum Configuration {
    /// - Parameters:
    ///   - defaults: what holds where nothing is said: `init()` of the type, or a preset.
    ///   - section: path of keys, such as `["extract", "keypoints"]`; absent sections are defaults.
    ///   - file: a pipeline file; nil for defaults alone.
    ///   - overrides: `section.key=value` settings; those of other sections are passed over.
    ///   - validates: false where the values are not used as they are read, but say which defaults to
    ///     read anew with.
    /// - Throws: `LoopyError` `.configuration` that names the setting.
    public static func read<Settings: DescribedSettings>(
        _ defaults: Settings, section: [String], file: String?, overrides: [String] = [],
        validates: Bool = true
    ) throws -> Settings {
        let name = section.joined(separator: ".")
        let merging = Merging(
            section: name, formerKeys: Settings.allFormerKeys,
            openKeys: try Settings.allOpenKeys.mapValues { try Node(tree: $0) })
        var node = try Node(tree: defaults)
        if let file {
            let root = try document(file)
            // A file that names no stage is the section itself.
            let keys = root.mapping?.keys.compactMap(\.string) ?? []
            let own = (node.mapping?.keys.compactMap(\.string) ?? []).map(snakeCase)
            let isPipeline =
                keys.isEmpty || keys.contains(section.first ?? "")
                || keys.contains { Section.names.contains($0) && !own.contains($0) }
            let given = isPipeline ? section.reduce(Optional(root), { $0?[$1] }) : root
            if let given, given.null == nil { node = try merging.merge(given, onto: node) }
        }
        for setting in overrides {
            let (path, value) = try parse(setting)
            guard path.starts(with: section), path.count > section.count else { continue }
            let rest = path.dropFirst(section.count)
            let nested = rest.reversed().reduce(value) {
                Node.mapping(Node.Mapping([(Node($1), $0)]))
            }
            node = try merging.merge(nested, onto: node)
        }
        let settings: Settings
        do {
            settings = try YAMLDecoder().decode(Settings.self, from: node)
        } catch let error as DecodingError {
            throw refusal(error, in: node, section: name, Settings.values)
        }
        if validates { try settings.validate(as: name) }
        return settings
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

    /// The values that a pipeline file and overrides give to all settings of a name, wherever they stand in a section;
    /// of a setting that both name, that of the override.
    public static func values(
        of key: String, section: [String], file: String, overrides: [String] = []
    ) throws -> [String] {
        var found: [[String]: String] = [:]
        func look(in node: Node, at path: [String]) {
            if path.last == key, let value = node.string { found[path] = value }
            for (name, value) in node.mapping ?? [:] {
                look(in: value, at: path + [name.string ?? ""])
            }
        }
        if let given = try section.reduce(Optional(document(file)), { $0?[$1] }) {
            look(in: given, at: section)
        }
        for (path, value) in try overrides.map(parse) where path.starts(with: section) {
            look(in: value, at: path)
        }
        return found.values.sorted()
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
        let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            .map(String.init)
        // Nothing behind the sign is an empty text.
        guard parts.count == 2, parts[0].contains("."),
            let value = parts[1].isEmpty
                ? Node("", Tag(.str), .singleQuoted) : try? Yams.compose(yaml: parts[1])
        else {
            throw LoopyError(
                .configuration, "'\(setting)': settings are written stage.key=value")
        }
        let path = parts[0].split(separator: ".").map(String.init)
        guard let section = path.first, Section.names.contains(section) else {
            let section = path.first ?? ""
            throw LoopyError(
                .configuration,
                "'\(setting)': there is no stage '\(section)'" + suggest(section, Section.names))
        }
        return (path, value)
    }

    /// The message about what cannot be decoded.
    ///
    /// - Parameter values: the settings that there are.
    private static func refusal<Owner>(
        _ error: DecodingError, in root: Node, section: String, _ values: [DescribedValue<Owner>]
    ) -> LoopyError {
        let context =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context),
                .keyNotFound(_, let context), .dataCorrupted(let context):
                context
            @unknown default: DecodingError.Context(codingPath: [], debugDescription: "\(error)")
            }
        var node: Node? = root
        for key in context.codingPath {
            node = key.intValue.map { node?.sequence?[$0] } ?? node?.mapping?[Node(key.stringValue)]
        }
        let path = context.codingPath.map {
            $0.intValue.map(String.init) ?? snakeCase($0.stringValue)
        }
        let key = path.joined(separator: ".")
        let name = ([section] + path).joined(separator: ".")
        let text = node.map(text(of:)) ?? "nothing"
        if let value = values.first(where: { $0.holds(key) }) {
            let isWhole = value.key.split(separator: ".").count == path.count
            let allowed = isWhole ? value.allowed : value.allowed.element
            return LoopyError(.configuration, allowed.refusal(of: text, named: name))
        }
        let members = values.filter { $0.key.hasPrefix(key + ".") }.map {
            String($0.key.dropFirst(key.count + 1))
        }
        let isGroup = !members.isEmpty && node?.mapping == nil
        return LoopyError(
            .configuration,
            isGroup
                ? "\(name): \(text) is not a mapping of settings: \(members.joined(separator: ", "))"
                : "\(name): \(context.debugDescription)")
    }

    private static func text(of node: Node) -> String {
        switch node {
        case .scalar(let scalar): scalar.string.isEmpty ? "an empty value" : scalar.string
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

/// Puts given settings in the place of known ones.
private struct Merging {
    let section: String
    let formerKeys: [String: String]
    /// The keys under which names are new, and what stands under a new one.
    let openKeys: [String: Node]

    /// Mappings are merged key by key; anything else replaces.
    func merge(_ given: Node, onto known: Node, at path: [String] = []) throws -> Node {
        guard let givenMapping = given.mapping, var result = known.mapping else { return given }
        for (key, value) in givenMapping {
            let name = key.string ?? ""
            let candidates = [name, Configuration.camelCase(name)].map { Node($0) }
            if let initial = openKeys[path.joined(separator: ".")], result[Node(name)] == nil {
                result[Node(name)] = try merge(value, onto: initial, at: path + [name])
                continue
            }
            guard let known = candidates.first(where: { result[$0] != nil }),
                let old = result[known]
            else {
                throw unknown(name, at: path, among: result.keys.compactMap(\.string))
            }
            result[known] = try merge(value, onto: old, at: path + [name])
        }
        return .mapping(result)
    }

    private func unknown(_ name: String, at path: [String], among known: [String]) -> LoopyError {
        let key = (path + [name]).joined(separator: ".")
        if let today = formerKeys[key] {
            return LoopyError(
                .configuration, "\(section).\(key) is called \(section).\(today) now")
        }
        return LoopyError(
            .configuration,
            ([section] + path).joined(separator: ".") + ": unknown setting '\(name)'"
                + Configuration.suggest(name, known.map(Configuration.snakeCase)))
    }
}

extension Configuration {
    /// The dotted keys under which settings are encoded, as they are written in YAML.
    package static func encodedKeys(of settings: some DescribedSettings) throws -> [String] {
        func keys(of node: Node, at path: [String]) -> [String] {
            guard let mapping = node.mapping else { return [path.joined(separator: ".")] }
            return mapping.flatMap { key, value in
                keys(of: value, at: path + [snakeCase(key.string ?? "")])
            }
        }
        return keys(of: try Node(tree: settings), at: [])
    }

    fileprivate static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        return String(words.first ?? "") + words.dropFirst().map(\.capitalized).joined()
    }

    fileprivate static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}

extension Node {
    /// A value as the node that YAML would give for it.
    fileprivate init(tree value: some Encodable) throws {
        let text = try YAMLEncoder().encode(value)
        self = try Yams.compose(yaml: text) ?? .mapping([:])
    }
}
