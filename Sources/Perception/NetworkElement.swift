import COpenVINO

/// The type of a network's values that can be converted to float32.
struct NetworkElement {
    private let convert: (UnsafeRawPointer, Int) -> [Float]

    /// - Returns: nil for a type that is none of C's: packed bits, text.
    init?(_ type: ov_element_type_e) {
        switch type {
        case OV_BOOLEAN: self.init(UInt8.self) { $0 == 0 ? 0 : 1 }
        case U8: self.init(UInt8.self) { Float($0) }
        case I8: self.init(Int8.self) { Float($0) }
        case U16: self.init(UInt16.self) { Float($0) }
        case I16: self.init(Int16.self) { Float($0) }
        case U32: self.init(UInt32.self) { Float($0) }
        case I32: self.init(Int32.self) { Float($0) }
        case U64: self.init(UInt64.self) { Float($0) }
        case I64: self.init(Int64.self) { Float($0) }
        case F16: self.init(Float16.self) { Float($0) }
        case BF16: self.init(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case F32: self.init(Float.self) { $0 }
        case F64: self.init(Double.self) { Float($0) }
        default: return nil
        }
    }

    private init<Stored: BitwiseCopyable>(
        _ stored: Stored.Type, _ float: @escaping (Stored) -> Float
    ) {
        convert = { data, count in
            UnsafeBufferPointer(start: data.assumingMemoryBound(to: Stored.self), count: count)
                .map(float)
        }
    }

    func floats(_ data: UnsafeRawPointer, count: Int) -> [Float] { convert(data, count) }
}
