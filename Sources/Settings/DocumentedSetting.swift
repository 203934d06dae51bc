/// One setting with all that is known about it.
public struct DocumentedSetting: Sendable, Encodable {
    /// The full name, as after `--set`.
    public let name: String
    /// The default, as it is written in YAML.
    public let initial: String
    public let unit: String
    public let range: String
    public let meaning: String

    private enum CodingKeys: String, CodingKey {
        case name, unit, range, meaning
        case initial = "default"
    }

    /// Two lines or more: name, default and range, then the meaning.
    public var text: String {
        let value = initial + (unit.isEmpty || initial.isEmpty ? "" : " " + unit)
        let head = "\(name) = \(value)"
        let padding = String(repeating: " ", count: max(3, 56 - head.count))
        return ([head + padding + "[" + range + "]"] + Self.lines(of: meaning))
            .joined(separator: "\n    ")
    }

    /// A row of a table with the columns of `tableHead`.
    public var tableRow: String {
        let cells = ["`\(name)`", initial.isEmpty ? "" : "`\(initial)`", unit, range, meaning]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    public static let tableHead = """
        | setting | default | unit | range | meaning |
        | --- | --- | --- | --- | --- |
        """

    /// Breaks a text into lines of at most 92 characters.
    private static func lines(of text: String) -> [String] {
        text.split(separator: " ").reduce(into: [""]) { lines, word in
            let last = lines.count - 1
            if lines[last].isEmpty {
                lines[last] = String(word)
            } else if lines[last].count + word.count < 92 {
                lines[last] += " " + word
            } else {
                lines.append(String(word))
            }
        }
    }
}

extension DescribedSettings {
    /// All settings of the type, those of nested types too, with their defaults.
    ///
    /// - Parameter section: the name of these settings in a pipeline file, such as "extract.speech".
    public static func documented(section: String) -> [DocumentedSetting] {
        Self().documented(section: section)
    }

    /// All settings with the values that they have here.
    package func documented(section: String) -> [DocumentedSetting] {
        Self.values.map { value in
            DocumentedSetting(
                name: section + "." + value.key, initial: value.read(self).description,
                unit: value.unit, range: value.allowed.range, meaning: value.meaning)
        }
    }
}
