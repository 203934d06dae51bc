import ArgumentParser
import Errors
import Settings
import StageCommand
import Storage

struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Print what can be set: every setting's default, unit, range and meaning.",
        discussion: """
            Settings stand in a pipeline file, section by section, or after --set on the command line: \
            --set select.clips.face_share=0.5. Sections: \
            \(SettingsSection.all.map(\.name).joined(separator: ", ")).
            """)

    @Argument(
        help: ArgumentHelp(
            "A section or a part of one: select, select.clips. Default: all.", valueName: "section")
    )
    var section: String?

    @Flag(help: "How the settings are printed.")
    var format = Format.text

    enum Format: String, EnumerableFlag {
        case text, markdown, json
    }

    func run() throws {
        try reporting {
            let sections = try Self.parts(under: section)
            switch format {
            case .text:
                let settings = sections.flatMap(\.settings)
                print(settings.map(\.text).joined(separator: "\n\n"))
            case .markdown: print(Self.markdown(sections), terminator: "")
            case .json:
                let document = try JSONLines.document(sections.flatMap(\.settings))
                print(String(decoding: document, as: UTF8.self), terminator: "")
            }
        }
    }

    typealias Part = (name: String, settings: [DocumentedSetting])

    /// The settings of each section, as far as their names begin with this one.
    ///
    /// - Throws: `LoopyError` for a name under which there are no settings.
    static func parts(under section: String?) throws -> [Part] {
        let all: [Part] = SettingsSection.all.map { ($0.name, $0.settings) }
        guard let section else { return all }
        let parts = all.map { part in
            (part.name, part.settings.filter { ($0.name + ".").hasPrefix(section + ".") })
        }.filter { !$1.isEmpty }
        let isEmptySection = all.contains { $0.name == section }
        guard !parts.isEmpty || isEmptySection else {
            let names = all.map(\.name) + all.flatMap { $0.settings.map(\.name) }
            throw LoopyError(
                .configuration,
                "there are no settings '\(section)'"
                    + Configuration.suggest(section, names, orList: false))
        }
        return parts
    }

    static func markdown(_ parts: [Part]) -> String {
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
