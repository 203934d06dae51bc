import ArgumentParser
import SettingsList
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
            let sections = try SettingsPage.parts(under: section)
            switch format {
            case .text:
                let settings = sections.flatMap(\.settings)
                print(settings.map(\.text).joined(separator: "\n\n"))
            case .markdown: print(SettingsPage.markdown(sections), terminator: "")
            case .json:
                let document = try JSONLines.document(sections.flatMap(\.settings))
                print(String(decoding: document, as: UTF8.self), terminator: "")
            }
        }
    }
}
