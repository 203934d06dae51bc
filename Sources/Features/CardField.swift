import Dataset
import Errors
import Foundation
import Storage

/// A field of a dataset and its type, in the words of Hugging Face's `datasets`.
public struct CardField: Sendable, Equatable {
    public indirect enum Kind: Sendable, Equatable {
        /// One value: "string", "int64", "float32", "binary".
        case value(String)
        case list(Kind)
        case structure([CardField])
    }

    public var name: String
    public var kind: Kind

    public init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }

    public init(_ name: String, _ type: String) { self.init(name, .value(type)) }

    /// The field in YAML, a line an element, as an item of a list.
    var yaml: [String] {
        ["- name: \(Self.quoted(name))"] + kind.yaml.map { "  " + $0 }
    }

    /// Text in quotation marks that JSON and YAML both understand.
    static func quoted(_ text: String) -> String {
        String(decoding: JSONValue.string(text).line, as: UTF8.self)
    }
}

extension CardField.Kind {
    fileprivate var yaml: [String] {
        switch self {
        case .value(let type): ["dtype: \(type)"]
        case .list(.value(let type)): ["list: \(type)"]
        case .list(let element): ["list:"] + element.items
        case .structure(let fields): ["struct:"] + fields.flatMap(\.yaml)
        }
    }

    /// What stands below `list:`.
    private var items: [String] {
        if case .structure(let fields) = self { return fields.flatMap(\.yaml) }
        return yaml.map { "  " + $0 }
    }

    /// What a value is. Of a text's column the first clip tells; others have the same keys.
    static func like(_ value: JSONValue) -> CardField.Kind {
        switch value {
        case .bool: .value("bool")
        case .integer, .unsigned: .value("int64")
        case .number: .value("float64")
        case .null, .string: .value("string")
        case .array(let elements): .list(elements.first.map(like) ?? .value("string"))
        case .object(let members):
            .structure(members.sorted { $0.key < $1.key }.map { CardField($0.key, like($0.value)) })
        }
    }

    /// A list of lists, of so many dimensions.
    static func array(_ type: String, dimensions: Int) -> CardField.Kind {
        (0..<dimensions).reduce(.value(type)) { kind, _ in .list(kind) }
    }
}

extension CardField {
    /// The fields of shards, by the members of a clip in one of them.
    ///
    /// - Parameters:
    ///   - clip: the key of a clip in the shard.
    ///   - clips: all clips of the dataset, of which the members that end in `.json` tell.
    /// - Throws: `LoopyError` for a member that cannot be understood.
    public static func members(
        of clip: String, in shard: TarReader, clips: [Decision]
    ) throws -> [CardField] {
        let members = shard.members.filter { $0.name.hasPrefix(clip + ".") }
        let fields = try members.map { member in
            let suffix = String(member.name.dropFirst(clip.count + 1))
            if suffix == "json" {
                return CardField(suffix, .structure(ClipFacts.fields(of: clips)))
            }
            if suffix.hasSuffix(".json") {
                let text = Data(try shard.read(member.name))
                let value = try JSONDecoder().decode(JSONValue.self, from: text)
                return CardField(suffix, .like(value))
            }
            guard suffix.hasSuffix("npy") else { return CardField(suffix, "binary") }
            let head = try shard.read(member.name, 0..<NumPyHeader.longest)
            let header = try NumPyHeader.decode(head, name: member.name).header
            return CardField(
                suffix, .array(try type(header.type, of: member), dimensions: header.shape.count))
        }
        // What `datasets` adds.
        return fields + [CardField("__key__", "string"), CardField("__url__", "string")]
    }

    /// A type of NumPy's, "<f4", in the words of `datasets`.
    private static func type(_ name: String, of member: TarReader.Member) throws -> String {
        let kinds: [Character: String] = ["f": "float", "i": "int", "u": "uint"]
        let letters = name.drop { "<>|=".contains($0) }
        guard let kind = letters.first.flatMap({ kinds[$0] }), let bytes = Int(letters.dropFirst())
        else {
            throw LoopyError(
                .unsupported, "\(member.name): holds values of the type \(name), not numbers")
        }
        return kind + String(8 * bytes)
    }

    /// What clips have in common whose metadata are these: the fields of `crop`, `metrics` and
    /// `attributes`. A structure without members is left out, for there is no such type.
    static func shared(by clips: [Decision]) -> [CardField] {
        var metrics: Set<String> = [], attributes: Set<String> = []
        for clip in clips {
            metrics.formUnion(clip.metrics?.allNames ?? [])
            if let names = clip.attributes?.keys { attributes.formUnion(names) }
        }
        let structures = [
            ("crop", ["x", "y", "side"].map { CardField($0, "int64") }),
            ("attributes", attributes.sorted().map { CardField($0, "string") }),
            ("metrics", metrics.sorted().map { CardField($0, "float64") }),
        ]
        return structures.filter { !$1.isEmpty }.map { CardField($0, .structure($1)) }
    }

    /// The fields of the metadata that `loopy publish` writes: `Decision`s of accepted clips.
    public static func metadata(of clips: [Decision]) -> [CardField] {
        [
            CardField("key", "string"), CardField("split", "string"), CardField("shard", "string"),
            CardField("source", "string"), CardField("path", "string"),
            CardField("start", "float64"), CardField("end", "float64"), CardField("face", "int64"),
            CardField("decision", "string"), CardField("crop_margin", "float64"),
            CardField("audio_delay", "int64"), CardField("annotation", "string"),
            CardField("identity", "string"),
            CardField("not_applied", .list(.value("string"))),
            CardField("sync_curve", .list(.value("float64"))),
        ] + shared(by: clips)
    }
}
