import ArgumentParser
import Dataset
import Foundation
import Settings
import Storage
import Torch

/// Where a stage's settings come from.
public struct SettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A pipeline file, of which the stage takes its section; or that section alone.",
            valueName: "file"))
    public var config: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "One setting, over the file's: stage.key=value. May be repeated.",
            valueName: "setting"))
    public var settings: [String] = []

    @Option(help: "Threads; 0 for one a processor.")
    public var threads = 0

    public init() {}

    public func validate() throws { try requireThreads(threads) }

    /// The stage's settings: defaults, then the pipeline file, then `--set`.
    public func read<Settings: DescribedSettings>(
        _ defaults: Settings, section: [String]
    ) throws -> Settings {
        try Configuration.read(defaults, section: section, file: config, overrides: settings)
    }
}

/// Configures libtorch for this process, before anything is computed.
///
/// - Parameter count: what `--threads` says; 0 for one a processor.
public func useThreads(_ count: Int) {
    let threads = count > 0 ? count : Processors.available
    // libgomp has read its variables: this process begins again, or goes on more slowly where it cannot. One thread
    // waits for no other.
    if threads > 1, boundSpinning() { execv("/proc/self/exe", CommandLine.unsafeArgv) }
    LibTorch.configure(threads: threads)
}

/// Has libtorch's threads wait for one another asleep after a short while, here and in processes that this one
/// starts. They would spin for milliseconds, and where others use the machine too, whoever they wait for
/// may not even run. Who sets one of the variables has decided otherwise.
///
/// - Returns: whether that was new: this process itself has read the variables before.
@discardableResult
public func boundSpinning() -> Bool {
    guard getenv("OMP_WAIT_POLICY") == nil, getenv("GOMP_SPINCOUNT") == nil else { return false }
    setenv("GOMP_SPINCOUNT", "1000", 1)
    return true
}

/// - Throws: `ValidationError` for a number of threads that no machine has.
public func requireThreads(_ threads: Int) throws {
    guard (0...1024).contains(threads) else {
        throw ValidationError("--threads: \(threads) is not a whole number from 0 to 1024")
    }
}

/// What every stage takes on its command line.
public struct StageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    public var dataset: String

    @OptionGroup public var settings: SettingsOptions

    public init() {}

    public var directory: DatasetDirectory { DatasetDirectory(dataset) }
    public var threads: Int { settings.threads }

    /// As `SettingsOptions.read`.
    public func read<Settings: DescribedSettings>(
        _ defaults: Settings, section: String...
    ) throws -> Settings {
        try settings.read(defaults, section: section)
    }
}

/// What stages with work units take besides.
public struct UnitOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Build this unit only, unsupervised, and do not finish the stage ('loopy work --unit' watches "
                + "over time and crashes). May be repeated.", valueName: "name"))
    public var unit: [String] = []

    @Flag(help: "Print the units that are not finished, the longest first, and do nothing.")
    public var pending = false

    @Flag(help: "Make what belongs to the whole dataset, such as a codec, and no unit.")
    public var prepare = false

    @Flag(help: "Finish the stage when every unit is there, and build none.")
    public var finish = false

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Record an item as failed instead of trying it: name=reason.", valueName: "item"))
    public var skip: [String] = []

    @Option(
        help: ArgumentHelp(
            "Refuse to build units under another fingerprint: with another version of Loopy, other "
                + "networks or other settings than the first machine's.", valueName: "digest"))
    public var expect: String?

    /// Build the units that standard input names, one `UnitOrder` a line.
    @Flag(help: .hidden)
    public var serve = false

    public init() {}
}
