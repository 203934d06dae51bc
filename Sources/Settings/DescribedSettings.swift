import Errors

/// Settings that say what can be set, within which limits, and what it means.
///
/// One list serves all that is done with settings: `Configuration.read` and `validate` refuse what lies
/// outside the limits, and `loopy settings` and docs/settings.md print them.
public protocol DescribedSettings: Codable, Sendable {
    /// Every setting of this type, in the order in which they are printed.
    static var settings: [Setting<Self>] { get }

    /// The keys that settings had before they were renamed, and the keys that they have now.
    static var formerKeys: [String: String] { get }

    /// Says which settings do not go together although each is allowed, in words that begin with the key
    /// of one of them; nil where they do.
    var conflict: String? { get }

    /// Makes the defaults.
    init()
}

extension DescribedSettings {
    public static var formerKeys: [String: String] { [:] }
    public var conflict: String? { nil }

    /// Checks every setting, those of nested types too.
    ///
    /// - Parameter section: the name of these settings in a pipeline file, such as "extract.speech".
    /// - Throws: `LoopyError` `.configuration` that gives the setting's full name, its value and what
    ///   would be allowed.
    public func validate(as section: String) throws(LoopyError) {
        for value in Self.values {
            let name = section + "." + value.key
            if let fault = value.allowed.fault(of: value.read(self), named: name) {
                throw LoopyError(.configuration, fault)
            }
        }
        if let conflict = conflicts.first {
            throw LoopyError(.configuration, section + "." + conflict)
        }
    }

    /// The values of this type and of the types nested in it, with dotted keys.
    package static var values: [DescribedValue<Self>] { settings.flatMap(\.values) }

    /// The former keys of this type and of the types nested in it, dotted.
    static var allFormerKeys: [String: String] {
        settings.reduce(into: formerKeys) { keys, setting in
            keys.merge(setting.formerKeys, uniquingKeysWith: { own, _ in own })
        }
    }

    /// The keys under which users choose names, of this type and of the types nested in it, dotted.
    static var allOpenKeys: [String: any DescribedSettings] {
        settings.reduce(into: [:]) { keys, setting in
            keys.merge(setting.openKeys, uniquingKeysWith: { own, _ in own })
        }
    }

    /// What does not go together, here and in nested types.
    var conflicts: [String] {
        Self.settings.flatMap { $0.conflicts(self) } + [conflict].compactMap(\.self)
    }
}

/// The settings of a stage or column that has none.
public struct NoSettings: DescribedSettings {
    public static var settings: [Setting<NoSettings>] { [] }

    public init() {}
}
