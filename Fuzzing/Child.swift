import Errors
import Foundation
import TestSupport

/// Reads damaged files one after the other, and says before each which it is: who watches knows what
/// the process died of.
struct Child {
    private let reader: Reader
    private let seed: UInt64
    private let work: String
    /// The most memory that an input may take.
    private static let largestMemory = 2 << 30

    init(_ reader: Reader, seed: UInt64, work: String) {
        self.reader = reader
        self.seed = seed
        self.work = work
    }

    /// Reads inputs from an index on.
    func run(from first: Int, seconds: Double) throws {
        let corpus = try Corpus.files(reader, in: work + "/corpus")
        let deadline = ContinuousClock.now + .seconds(seconds)
        var index = first
        while ContinuousClock.now < deadline {
            let mutation = Mutation(index, seed: seed, of: corpus)
            let path = work + "/input-\(reader.name)-\(mutation.name)"
            try Data(mutation.bytes).write(to: URL(fileURLWithPath: path))
            say("at \(index)")
            try read(path)
            unlink(path)
            index += 1
        }
    }

    /// Reads one file.
    ///
    /// - Throws: for what is a finding.
    func read(_ path: String) throws {
        _ = highestResidentBytes()
        do {
            try reader.read(path)
            say("read")
        } catch is LoopyError {
            say("refused")
        } catch {
            throw Finding.Fault("an error that is no LoopyError: \(type(of: error)): \(error)")
        }
        let memory = highestResidentBytes()
        guard memory < Self.largestMemory else {
            throw Finding.Fault("\(memory >> 20) MB of memory are taken")
        }
    }

    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
