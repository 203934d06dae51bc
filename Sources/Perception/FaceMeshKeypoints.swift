import Errors
import Foundation
import Settings

/// FaceMesh as a key-point network: the default, and what `landmarks` means where it is a file.
public struct FaceMeshKeypoints: KeypointNetwork {
    /// The file of a FaceMesh, or "embedded" for the one that comes with Loopy.
    public var file = Self.name

    public init(file: String = Self.name) { self.file = file }

    public static let name = "embedded"
    public static let version = 1

    public func files(for setting: String) throws -> [String: String] {
        let path = EmbeddedNetwork.faceMesh.path(or: file)
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw LoopyError(
                .configuration,
                "\(setting): '\(file)' is neither a key-point network nor a file that can be read"
                    + Configuration.suggest(file, KeypointNetworks.all.map { type(of: $0).name }))
        }
        return ["landmarks": path]
    }

    public var input: KeypointInput {
        .faceRegion { files in try FaceMesh(path: files["landmarks"]) }
    }
}
