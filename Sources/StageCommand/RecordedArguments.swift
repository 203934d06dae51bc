import Dataset
import Foundation

extension CommandLine {
    /// The arguments behind the program's name. One that is not UTF-8 is a path, and is given as
    /// `RecordedPath` writes it; Swift's own `arguments` would put other bytes in its place.
    public static var recordedArguments: [String] {
        (1..<max(1, Int(argc))).compactMap { index in
            guard let argument = unsafeArgv[index] else { return nil }
            if let text = String(validatingCString: argument) { return text }
            let bytes = Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
            if bytes.first == UInt8(ascii: "/") { return RecordedPath(bytes: bytes).text }
            return RecordedPath(FileManager.default.currentDirectoryPath).appending(bytes).text
        }
    }
}
