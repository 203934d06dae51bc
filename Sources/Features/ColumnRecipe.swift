import Dataset
import Errors
import Foundation

/// How the members of one column are made, and what identifies them.
struct ColumnRecipe {
    /// The column that it is computed from.
    var input: String
    /// Raised whenever the same settings make something else.
    var version: Int
    var configuration: any Encodable
    /// Digests of the weight files in use, by role.
    var networks: [String: String] = [:]
    /// What readers must know of the members.
    var facts: [String: Int] = [:]
    /// What makes the column, in words for people.
    var settings: [String: String] = [:]
    /// Makes a member from a member of the input. Networks are loaded when it is first called.
    var makeMember: (FileSlice) throws -> ColumnMember
}

/// A file, or a part of one: a member of an archive.
struct FileSlice {
    var path: String
    /// Nil for the whole file.
    var bytes: Range<Int>?

    /// - Throws: `LoopyError` when it cannot be read.
    func read() throws -> [UInt8] {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            guard let bytes else { return [UInt8](try file.readToEnd() ?? Data()) }
            try file.seek(toOffset: UInt64(bytes.lowerBound))
            return [UInt8](try file.read(upToCount: bytes.count) ?? Data())
        } catch {
            throw LoopyError(
                .missing, "\(path): cannot be read (\(error.localizedDescription))")
        }
    }
}

/// Something that is made when it is first needed, and then kept.
final class Lazily<Value> {
    private var made: Value?
    private let make: () throws -> Value

    init(_ make: @escaping () throws -> Value) { self.make = make }

    func get() throws -> Value {
        if let made { return made }
        let value = try make()
        made = value
        return value
    }
}
