/// One setting of a type, or all those of a type that is nested in it.
///
/// Keys are written as in YAML. A unit is a word for people ("s", "pixels"); a meaning is a sentence.
public struct Setting<Owner> {
    package let values: [DescribedValue<Owner>]
    let formerKeys: [String: String]
    let conflicts: (Owner) -> [String]
    /// The keys under which users choose names, and the defaults of what stands under each.
    let openKeys: [String: any DescribedSettings]

    private init(
        _ key: String, _ allowed: AllowedValues, unit: String, _ meaning: String,
        read: @escaping (Owner) -> SettingValue
    ) {
        values = [
            DescribedValue(key: key, unit: unit, meaning: meaning, allowed: allowed, read: read)
        ]
        formerKeys = [:]
        conflicts = { _ in [] }
        openKeys = [:]
    }

    /// A number.
    public static func number(
        _ key: String, _ path: KeyPath<Owner, Double>, in range: ClosedRange<Double>,
        unit: String = "", _ meaning: String
    ) -> Setting {
        Setting(key, .numbers(range), unit: unit, meaning) { .number($0[keyPath: path]) }
    }

    /// A whole number.
    public static func number(
        _ key: String, _ path: KeyPath<Owner, Int>, in range: ClosedRange<Int>, unit: String = "",
        _ meaning: String
    ) -> Setting {
        Setting(key, .wholeNumbers(range), unit: unit, meaning) {
            .wholeNumber($0[keyPath: path])
        }
    }

    /// A least and a greatest number, each of which may be null.
    public static func limits(
        _ key: String, minimum: KeyPath<Owner, Double?>, maximum: KeyPath<Owner, Double?>,
        unit: String = "", _ meaning: String
    ) -> Setting {
        Setting(key, .limits, unit: unit, meaning) {
            .limits($0[keyPath: minimum], $0[keyPath: maximum])
        }
    }

    /// True or false.
    public static func flag(
        _ key: String, _ path: KeyPath<Owner, Bool>, _ meaning: String
    ) -> Setting {
        Setting(key, .flags, unit: "", meaning) { .flag($0[keyPath: path]) }
    }

    /// One of several names.
    public static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, _ path: KeyPath<Owner, Choice>, _ meaning: String
    ) -> Setting {
        Setting(key, .choices(Choice.allCases.map(\.rawValue)), unit: "", meaning) {
            .text($0[keyPath: path].rawValue)
        }
    }

    /// One of several names that are no type of their own.
    public static func choice(
        _ key: String, _ path: KeyPath<Owner, String>, of names: [String], _ meaning: String
    ) -> Setting {
        Setting(key, .choices(names), unit: "", meaning) { .text($0[keyPath: path]) }
    }

    /// A device: "cpu", "cuda:0".
    public static func device(
        _ key: String, _ path: KeyPath<Owner, String>, _ meaning: String
    ) -> Setting {
        text(key, path, "cpu, or cuda:N", meaning)
    }

    /// A text that its user checks: a file, a device.
    ///
    /// - Parameter form: what is written, such as "a file, or embedded". An empty text is allowed where
    ///   `mayBeEmpty` says so.
    public static func text(
        _ key: String, _ path: KeyPath<Owner, String>, _ form: String, mayBeEmpty: Bool = false,
        _ meaning: String
    ) -> Setting {
        Setting(key, .texts(form: form, mayBeEmpty: mayBeEmpty), unit: "", meaning) {
            .text($0[keyPath: path])
        }
    }

    /// Several texts, none of them empty.
    public static func list(
        _ key: String, _ path: KeyPath<Owner, [String]>, _ meaning: String
    ) -> Setting {
        let element = AllowedValues.texts(form: "a text that is not empty", mayBeEmpty: false)
        return Setting(key, .lists(of: element, 0...Int.max), unit: "", meaning) {
            .list($0[keyPath: path].map(SettingValue.text))
        }
    }

    /// Several whole numbers.
    public static func list(
        _ key: String, _ path: KeyPath<Owner, [Int]>, in range: ClosedRange<Int>,
        count: ClosedRange<Int>, unit: String = "", _ meaning: String
    ) -> Setting {
        Setting(key, .lists(of: .wholeNumbers(range), count), unit: unit, meaning) {
            .list($0[keyPath: path].map(SettingValue.wholeNumber))
        }
    }

    /// Several numbers.
    public static func list(
        _ key: String, _ path: KeyPath<Owner, [Double]>, in range: ClosedRange<Double>,
        count: ClosedRange<Int>, unit: String = "", _ meaning: String
    ) -> Setting {
        Setting(key, .lists(of: .numbers(range), count), unit: unit, meaning) {
            .list($0[keyPath: path].map(SettingValue.number))
        }
    }

    /// Several truth values.
    public static func list(
        _ key: String, _ path: KeyPath<Owner, [Bool]>, count: ClosedRange<Int>, _ meaning: String
    ) -> Setting {
        Setting(key, .lists(of: .flags, count), unit: "", meaning) {
            .list($0[keyPath: path].map(SettingValue.flag))
        }
    }
}

extension Setting {
    /// The settings of a nested type, under a key of their own.
    public static func group<Group: DescribedSettings>(
        _ key: String, _ read: @escaping (Owner) -> Group
    ) -> Setting {
        Setting(prefix: key + ".", read)
    }

    /// The settings of a nested type whose keys stand among the owner's.
    public static func inlined<Group: DescribedSettings>(
        _ read: @escaping (Owner) -> Group
    ) -> Setting {
        Setting(prefix: "", read)
    }

    /// The settings of a nested type, any number of times, each under a name that the user chooses:
    /// `key.NAME.…`, as they are documented.
    public static func named<Entry: DescribedSettings>(
        _ key: String, _ path: KeyPath<Owner, [String: Entry]>
    ) -> Setting {
        Setting(named: key) { $0[keyPath: path] }
    }

    private init<Entry: DescribedSettings>(
        named key: String, _ read: @escaping (Owner) -> [String: Entry]
    ) {
        let defaults = Entry()
        values = Entry.values.map { value in
            DescribedValue(
                key: "\(key).\(DescribedValue<Owner>.anyName).\(value.key)", unit: value.unit,
                meaning: value.meaning, allowed: value.allowed, read: { _ in value.read(defaults) })
        }
        formerKeys = [:]
        openKeys = [key: defaults]
        conflicts = { owner in
            read(owner).sorted { $0.key < $1.key }.flatMap { name, entry in
                let prefix = "\(key).\(name)."
                let faults = Entry.values.compactMap {
                    $0.allowed.fault(of: $0.read(entry), named: prefix + $0.key)
                }
                return faults + entry.conflicts.map { prefix + $0 }
            }
        }
    }

    private init<Group: DescribedSettings>(prefix: String, _ read: @escaping (Owner) -> Group) {
        values = Group.values.map { value in
            DescribedValue(
                key: prefix + value.key, unit: value.unit, meaning: value.meaning,
                allowed: value.allowed, read: { value.read(read($0)) })
        }
        formerKeys = Dictionary(
            uniqueKeysWithValues: Group.allFormerKeys.map { (prefix + $0, prefix + $1) })
        conflicts = { owner in read(owner).conflicts.map { prefix + $0 } }
        openKeys = Dictionary(
            uniqueKeysWithValues: Group.allOpenKeys.map { (prefix + $0, $1) })
    }
}

/// A setting that holds a value, as opposed to one that holds settings.
package struct DescribedValue<Owner> {
    /// The key from `Owner` on, dotted: "clips.face_share".
    let key: String
    let unit: String
    let meaning: String
    let allowed: AllowedValues
    let read: (Owner) -> SettingValue

    /// Stands in keys where the user chooses a name.
    static var anyName: String { "NAME" }

    /// Whether a dotted key is this one's, or that of a part of it.
    func holds(_ other: String) -> Bool {
        let own = key.split(separator: "."), other = other.split(separator: ".")
        return own.count <= other.count
            && zip(own, other).allSatisfy { $0 == $1 || $0 == Self.anyName }
    }

    /// The keys under which the value is encoded; none where the user chooses names.
    package var encodedKeys: [String] {
        if key.split(separator: ".").contains(where: { $0 == Self.anyName }) { return [] }
        if case .limits = allowed { return [key + ".minimum", key + ".maximum"] }
        return [key]
    }
}
