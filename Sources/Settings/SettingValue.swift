/// The value of a setting, whichever type it has.
enum SettingValue: Equatable {
    case number(Double)
    case wholeNumber(Int)
    case flag(Bool)
    case text(String)
    case list([SettingValue])
    /// A least and a greatest number; nil for none.
    case limits(Double?, Double?)
}

extension SettingValue: CustomStringConvertible {
    /// The value as it would be written in YAML.
    var description: String {
        switch self {
        case .number(let number): Self.text(number)
        case .wholeNumber(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        case .text(let text): text.isEmpty ? "\"\"" : text
        case .list(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .limits(let minimum, let maximum):
            [("minimum", minimum), ("maximum", maximum)].compactMap { name, limit in
                limit.map { "\(name): \(Self.text($0))" }
            }.joined(separator: ", ")
        }
    }

    /// Whole numbers without a fraction; infinity and "not a number" as YAML has them.
    static func text(_ number: Double) -> String {
        if number.isNaN { return ".nan" }
        if number.isInfinite { return number > 0 ? ".inf" : "-.inf" }
        return abs(number) < 1e15 && number == number.rounded() ? "\(Int(number))" : "\(number)"
    }
}
