import Errors
import Settings

/// The network that measures lip-sync, and its file.
public enum LipSyncChoice: Sendable, Equatable {
    /// Loopy's own.
    case mouthSync(String)
    case syncNet(String)

    /// What users may write.
    public static let allowed = "embedded, syncnet, or a file"

    /// Finds the network that a setting or an option means: `embedded`, or a file of its weights, which ends in
    /// `.safetensors`; else SyncNet's file, or its name in Manifests/models.yaml.
    ///
    /// - Parameter name: of the setting or option, for the message.
    /// - Throws: `LoopyError` `.configuration` where the file is not here.
    public init(_ value: String, of name: String) throws {
        switch value {
        case "embedded": self = .mouthSync(EmbeddedNetwork.mouthSync.path)
        case let file where file.hasSuffix(".safetensors"): self = .mouthSync(file)
        default:
            guard let file = try ModelManifest.resolve(value) else {
                throw LoopyError(
                    .configuration,
                    "\(name) is \(value), whose weights are not here: `loopy models` says where they are "
                        + "published and where to put them; embedded needs none")
            }
            self = .syncNet(file)
        }
    }
}
