import Errors
import Settings

/// What `loopy settings` prints, and docs/settings.md holds.
package enum SettingsPage {
    package typealias Part = (name: String, settings: [DocumentedSetting])

    /// The settings of each section, as far as their names begin with this one.
    ///
    /// - Throws: `LoopyError` for a name under which there are no settings.
    package static func parts(under section: String?) throws -> [Part] {
        let all: [Part] = SettingsSection.all.map { ($0.name, $0.settings) }
        guard let section else { return all }
        let parts = all.map { part in
            (part.name, part.settings.filter { ($0.name + ".").hasPrefix(section + ".") })
        }.filter { !$1.isEmpty }
        let isEmptySection = all.contains { $0.name == section }
        guard !parts.isEmpty || isEmptySection else {
            let settings = all.flatMap { $0.settings.map(\.name) }
            let groups = settings.map { $0.split(separator: ".").dropLast().joined(separator: ".") }
            let names = all.map(\.name) + Set(groups).sorted() + settings
            throw LoopyError(
                .configuration,
                "there are no settings '\(section)'"
                    + Configuration.suggest(section, names, orList: false))
        }
        return parts
    }

    package static func markdown(_ parts: [Part]) -> String {
        let tables = parts.map { part in
            part.settings.isEmpty
                ? "## \(part.name)\n\nThis section has no settings.\n"
                : "## \(part.name)\n\n\(DocumentedSetting.tableHead)\n"
                    + part.settings.map { $0.tableRow + "\n" }.joined()
        }
        return preface + tables.map { "\n" + $0 }.joined()
    }

    private static let preface = """
        # Settings

        This page is the output of `loopy settings --markdown`.

        Settings stand in a pipeline file, in the section of their stage, or on the command line after
        `--set`, where the last one counts. What is not set keeps its default. A name that nobody knows and a
        value out of range end a command with a message and status 64 before it does anything.

        """
}
