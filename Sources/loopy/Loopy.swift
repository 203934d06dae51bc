import ArgumentParser
import Foundation
import StageCommand

/// `loopy run`, `work`, `status`, `sheet`, `page`, `serve`, `export`, `verify`, `publish`, `models`, `model`,
/// `settings`; and `loopy STAGE`, which runs `loopy-STAGE` from beside this executable, as git does.
@main
struct Loopy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy",
        abstract: """
            Turn raw talking-head videos into training shards, train a model on them, and generate.
            """,
        discussion: """
            Stages: ingest, measure, select, crop, extract, pack; then train, generate and evaluate. \
            'loopy STAGE --help' tells what one does; 'loopy run' runs those of a pipeline file, up to \
            trained models.
            """,
        subcommands: [
            Run.self, Work.self, Status.self, Sheet.self, MakePage.self, Serve.self, Export.self,
            Verify.self, Publish.self,
            Models.self, Model.self, SettingsCommand.self,
        ])

    static func main() async {
        useInstalledFonts()
        boundSpinning()
        handOverToStage()
        do {
            var command = try parseAsRoot(CommandLine.recordedArguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }

    /// The folder in which this executable and the stages lie.
    static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path

    /// An installed folder (`make install`) brings the contact sheet's font for machines that have none.
    private static func useInstalledFonts() {
        let fonts = URL(fileURLWithPath: folder + "/../share/fonts/fonts.conf").standardizedFileURL
            .path
        if FileManager.default.fileExists(atPath: fonts) { setenv("FONTCONFIG_FILE", fonts, 0) }
    }

    private static func handOverToStage() {
        let arguments = CommandLine.arguments
        guard arguments.count > 1, !arguments[1].hasPrefix("-"), !arguments[1].contains("/") else {
            return
        }
        let executable = folder + "/loopy-" + arguments[1]
        guard FileManager.default.isExecutableFile(atPath: executable) else { return }
        // The arguments as they are: they may be paths that are not UTF-8.
        let others = (2..<Int(CommandLine.argc)).map { CommandLine.unsafeArgv[$0] }
        var pointers = [strdup(executable)] + others + [nil]
        execv(executable, &pointers)
    }
}
