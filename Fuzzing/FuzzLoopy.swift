import ArgumentParser

/// Feeds damaged files to everything in Loopy that reads files: `make fuzz`.
@main
struct FuzzLoopy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz-loopy",
        abstract: "Feed damaged files to every reader, and damaged videos to 'loopy run'.",
        subcommands: [FuzzReaders.self, FuzzVideos.self, FuzzChild.self],
        defaultSubcommand: FuzzReaders.self)
}

struct FuzzReaders: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "readers",
        abstract: "Feed damaged files to every reader, in child processes.",
        discussion: """
            An input may be read or refused with a LoopyError. A crash, another error, a minute without \
            an end, and more than 2 GB of memory are findings: the input is kept with its seed and its \
            changes, as few of them as are needed. Exit status 1 when there are any.
            """)

    @Option(help: "Seconds to go on for, all readers together.")
    var seconds = 60.0

    @Option(help: "The seed: the same seed gives the same inputs.")
    var seed: UInt64 = 1

    @Option(help: "Readers, separated by commas. Default: all of them.")
    var readers: String?

    @Option(help: "The folder for inputs and findings.")
    var work = "out/fuzz"

    @Option(help: "The package's folder, where the tests' fixtures are.")
    var package = "."

    func run() throws {
        let chosen = try Reader.named(readers)
        try Corpus.prepare(chosen, package: package, in: work + "/corpus")
        var fuzzing = Fuzzing(seed: seed, work: work)
        try fuzzing.run(chosen, seconds: seconds)
        print(fuzzing.summary)
        if !fuzzing.findings.isEmpty { throw ExitCode(1) }
    }
}

/// What a child process runs: the readers must not take the supervisor with them.
struct FuzzChild: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "child", shouldDisplay: false)

    @Argument var reader: String
    @Option var seed: UInt64 = 1
    @Option var first = 0
    @Option var seconds = 5.0
    @Option var work = "out/fuzz"
    @Option(help: "Read this file instead of damaged ones.") var file: String?

    func run() throws {
        let reader = try Reader.named(reader)[0]
        let child = Child(reader, seed: seed, work: work)
        if let file {
            try child.read(file)
        } else {
            try child.run(from: first, seconds: seconds)
        }
    }
}
