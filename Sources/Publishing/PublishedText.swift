import Dataset
import Foundation
import Storage
import Stores

extension JSONValue {
    /// The value without what only concerns the publisher's machine: of paths, the file's name is left.
    var withoutFolders: JSONValue {
        switch self {
        case .string(let text): .string(Self.isPath(text) ? RecordedPath(text).fileName : text)
        case .array(let values): .array(values.map(\.withoutFolders))
        case .object(let members): .object(members.mapValues(\.withoutFolders))
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

extension Source {
    /// The source as others know it: by its digest, its size and its name.
    var published: Source {
        var source = self
        source.path = RecordedPath(path).fileName
        source.modified = 0
        return source
    }
}

extension Decision {
    /// The clip's annotation, for others to apply to their own copies of the sources.
    var published: Decision {
        var clip = self
        clip.path = RecordedPath(path).fileName
        return clip
    }
}
