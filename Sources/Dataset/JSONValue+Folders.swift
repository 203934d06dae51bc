import Storage
import Stores

extension JSONValue {
    /// The value without what only concerns this machine: of paths, the file's name is left, and of commands
    /// nothing.
    package var withoutFolders: JSONValue {
        switch self {
        case .string(let text): .string(Self.isPath(text) ? RecordedPath(text).fileName : text)
        case .array(let values): .array(values.map(\.withoutFolders))
        case .object(let members):
            .object(
                Dictionary(
                    uniqueKeysWithValues: members.filter { $0.key != "command" }.map { key, value in
                        // One may be relative to wherever a command ran.
                        let path = key == "path" ? value.string : nil
                        return (
                            key,
                            path.map { .string(RecordedPath($0).fileName) } ?? value.withoutFolders
                        )
                    }))
        default: self
        }
    }

    /// Names of networks, such as "stable-diffusion-v1-5/vae", and paths within a dataset are no paths of
    /// the machine; nor is where something is to be found on the web.
    private static func isPath(_ text: String) -> Bool {
        ["/", "~", "./", "../", "file://"].contains(where: text.hasPrefix)
            || (ObjectStore.isAddress(text) && !text.hasPrefix("http"))
    }
}
