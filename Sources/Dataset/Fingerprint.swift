import Foundation
import Storage

/// What a result depends on, as one digest: two results with the same fingerprint are the same.
public struct Fingerprint: Codable, Sendable, Equatable {
    /// SHA-256 over everything below, in canonical JSON.
    public let digest: String

    /// - Parameters:
    ///   - name: what computes the result.
    ///   - version: raised whenever the code computes something else from the same settings.
    ///   - configuration: every setting that changes the result.
    ///   - files: digests of the weight files in use, by role.
    ///   - inputs: fingerprints of the results that this one is computed from, by name.
    public init(
        name: String, version: Int, configuration: some Encodable, files: [String: String] = [:],
        inputs: [String: String] = [:]
    ) throws {
        let contents = Contents(
            name: name, version: version, configuration: configuration, files: files,
            inputs: inputs)
        // Foundation's form of numbers, whatever files hold: digests must not change with that.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        digest = Digest.of([UInt8](try encoder.encode(contents)))
    }

    /// Enough of the digest to name a folder.
    public var short: String { String(digest.prefix(8)) }
}

private struct Contents<Settings: Encodable>: Encodable {
    let name: String, version: Int, configuration: Settings
    let files: [String: String], inputs: [String: String]
}
