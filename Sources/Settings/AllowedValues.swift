/// The values that a setting may have.
///
/// A range that ends at the greatest number of its type has no end that a user should know of.
indirect enum AllowedValues {
    case numbers(ClosedRange<Double>)
    case wholeNumbers(ClosedRange<Int>)
    case flags
    case choices([String])
    case texts(form: String, mayBeEmpty: Bool)
    case lists(of: AllowedValues, ClosedRange<Int>)
    /// Two numbers or nulls, the least no more than the greatest.
    case limits

    /// What is wrong with a value; nil when it is allowed.
    ///
    /// - Parameter name: the setting's full name.
    func fault(of value: SettingValue, named name: String) -> String? {
        if case .lists(let allowed, let count) = self, case .list(let values) = value {
            if !count.contains(values.count) { return refusal(of: "\(value)", named: name) }
            return zip(values.indices, values).lazy.compactMap { index, value in
                allowed.fault(of: value, named: "\(name).\(index)")
            }.first
        }
        if case .limits = self, case .limits(let minimum?, let maximum?) = value,
            minimum > maximum
        {
            return "\(name): the minimum, \(SettingValue.text(minimum)), is more than the maximum, "
                + SettingValue.text(maximum)
        }
        return contains(value) ? nil : refusal(of: "\(value)", named: name)
    }

    /// The message about a value that is not allowed.
    func refusal(of value: String, named name: String) -> String {
        var message = "\(name): \(value) is not \(noun)"
        if case .choices(let choices) = self {
            message += Configuration.suggest(value, choices, orList: false)
        }
        return message
    }

    private func contains(_ value: SettingValue) -> Bool {
        switch (self, value) {
        case (.numbers(let range), .number(let number)):
            number.isFinite && range.contains(number)
        case (.wholeNumbers(let range), .wholeNumber(let number)): range.contains(number)
        case (.flags, .flag): true
        case (.choices(let choices), .text(let text)): choices.contains(text)
        case (.texts(_, let mayBeEmpty), .text(let text)): mayBeEmpty || !text.isEmpty
        case (.limits, .limits(let minimum, let maximum)):
            [minimum, maximum].allSatisfy { $0?.isFinite ?? true }
        default: false
        }
    }

    /// What an element of a list may be, and what a limit of two.
    var element: AllowedValues {
        switch self {
        case .lists(let element, _): element
        case .limits: .numbers(-.greatestFiniteMagnitude...(.greatestFiniteMagnitude))
        default: self
        }
    }

    /// The allowed values for a sentence: "a number from 0 to 1".
    var noun: String {
        switch self {
        case .numbers: "a number " + words
        case .wholeNumbers: "a whole number " + words
        case .flags: words
        case .choices(let choices): "one of " + choices.joined(separator: ", ")
        case .texts, .lists: words
        case .limits: words
        }
    }

    /// The allowed values for a table: "0 to 1".
    var range: String {
        switch self {
        case .numbers(let range) where range.upperBound < .greatestFiniteMagnitude:
            SettingValue.text(range.lowerBound) + " to " + SettingValue.text(range.upperBound)
        case .numbers(let range) where range.lowerBound == -.greatestFiniteMagnitude: "any"
        case .numbers(let range): SettingValue.text(range.lowerBound) + " or more"
        case .wholeNumbers(let range) where range.upperBound < .max:
            "\(range.lowerBound) to \(range.upperBound)"
        case .wholeNumbers(let range): "\(range.lowerBound) or more"
        case .choices(let choices): choices.joined(separator: ", ")
        case .flags, .texts, .lists, .limits: words
        }
    }

    private var words: String {
        switch self {
        case .numbers(let range) where range.lowerBound == -.greatestFiniteMagnitude: "or null"
        case .numbers(let range) where range.upperBound == .greatestFiniteMagnitude:
            "of " + self.range
        case .wholeNumbers(let range) where range.upperBound == .max: "of " + self.range
        case .numbers, .wholeNumbers: "from " + range
        case .flags: "true or false"
        case .choices: range
        case .texts(let form, _): form
        case .lists(let element, let count):
            "a list of "
                + (count.upperBound < .max ? "\(count.lowerBound) to \(count.upperBound) " : "")
                + element.plural
        case .limits: "minimum and maximum, each a number or null"
        }
    }

    /// The allowed values as elements of a list.
    private var plural: String {
        switch self {
        case .wholeNumbers: "whole numbers " + words
        case .flags: "truth values"
        case .texts: "texts"
        case .numbers, .choices, .lists, .limits: "values, each " + noun
        }
    }
}
