extension JSONValue {
    /// The value that a type's `encode(to:)` describes.
    ///
    /// Foundation's encoder writes whole numbers of type `Double` as integers, and has no option for
    /// that; this one keeps the types apart.
    ///
    /// - Throws: `EncodingError` for numbers that are not finite.
    public init(encoding value: some Encodable) throws {
        if let value = value as? JSONValue {
            self = value
            return
        }
        let encoder = ValueEncoder(codingPath: [])
        try value.encode(to: encoder)
        self = encoder.value
    }
}

/// Encodes one value. Containers hand their children a new encoder, and ask for its value at the end.
private final class ValueEncoder: Encoder {
    let codingPath: [any CodingKey]
    let userInfo: [CodingUserInfoKey: Any] = [:]

    private enum Storage {
        case single(JSONValue)
        case array([ValueEncoder])
        case object([String: ValueEncoder])
    }

    private var storage = Storage.single(.object([:]))

    init(codingPath: [any CodingKey]) { self.codingPath = codingPath }

    var value: JSONValue {
        switch storage {
        case .single(let value): value
        case .array(let encoders): .array(encoders.map(\.value))
        case .object(let encoders): .object(encoders.mapValues(\.value))
        }
    }

    func set(_ value: JSONValue) { storage = .single(value) }

    /// The encoder of a member of an object.
    func child(_ key: any CodingKey) -> ValueEncoder {
        var members: [String: ValueEncoder] = [:]
        if case .object(let earlier) = storage { members = earlier }
        // Released first, so that the dictionary is not copied for each member.
        storage = .single(.null)
        let child = ValueEncoder(codingPath: codingPath + [key])
        members[key.stringValue] = child
        storage = .object(members)
        return child
    }

    /// The encoder of the next element of an array.
    func child() -> ValueEncoder {
        var elements: [ValueEncoder] = []
        if case .array(let earlier) = storage { elements = earlier }
        storage = .single(.null)
        let child = ValueEncoder(codingPath: codingPath + [Index(intValue: elements.count)])
        elements.append(child)
        storage = .array(elements)
        return child
    }

    var count: Int {
        guard case .array(let elements) = storage else { return 0 }
        return elements.count
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .object = storage {} else { storage = .object([:]) }
        return KeyedEncodingContainer(ObjectContainer<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .array = storage {} else { storage = .array([]) }
        return ArrayContainer(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleContainer(encoder: self)
    }

    func encode<Value: Encodable>(_ value: Value) throws {
        switch value {
        case let value as JSONValue: set(value)
        case let value as String: set(.string(value))
        case let value as Bool: set(.bool(value))
        case let value as Double: try setNumber(value)
        case let value as Float:
            // The shortest text that is this Float, not the Double nearest to it.
            try setNumber(Double(value.description) ?? Double(value))
        case let value as Int: set(.integer(value))
        case let value as UInt64:
            set(Int(exactly: value).map(JSONValue.integer) ?? .unsigned(value))
        case let value as any BinaryInteger & Encodable: set(.integer(Int(value)))
        default: try value.encode(to: self)
        }
    }

    private func setNumber(_ value: Double) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(
                value,
                .init(codingPath: codingPath, debugDescription: "JSON has no number \(value)"))
        }
        set(.number(value))
    }

    struct Index: CodingKey {
        let intValue: Int?
        var stringValue: String { intValue.map(String.init) ?? "super" }

        init(intValue: Int) { self.intValue = intValue }
        init(stringValue: String) { intValue = Int(stringValue) }
    }
}

private struct ObjectContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil(forKey key: Key) { encoder.child(key).set(.null) }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        try encoder.child(key).encode(value)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        encoder.child(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder.child(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { encoder.child(ValueEncoder.Index(stringValue: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder.child(key) }
}

private struct ArrayContainer: UnkeyedEncodingContainer {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.count }

    func encodeNil() { encoder.child().set(.null) }
    func encode(_ value: some Encodable) throws { try encoder.child().encode(value) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        encoder.child().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        encoder.child().unkeyedContainer()
    }

    func superEncoder() -> any Encoder { encoder.child() }
}

private struct SingleContainer: SingleValueEncodingContainer {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.set(.null) }
    func encode(_ value: some Encodable) throws { try encoder.encode(value) }
}
