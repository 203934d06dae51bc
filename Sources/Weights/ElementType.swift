/// What a tensor's elements are, little-endian throughout; the raw values are safetensors' names.
///
/// The cases stand in the order of safetensors' own list, by which it sorts the tensors of a file
/// (https://github.com/huggingface/safetensors, `Dtype` in tensor.rs): narrow ones first.
public enum ElementType: String, CaseIterable, Sendable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case int16 = "I16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case float32 = "F32"
    case float64 = "F64"
    case int64 = "I64"

    /// The size in bytes.
    public var size: Int {
        switch self {
        case .bool, .uint8, .int8: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .float64, .int64: 8
        }
    }

    /// - Parameter name: the name of a storage class in module `torch`, "HalfStorage".
    init?(torchStorage name: String) {
        switch name {
        case "BoolStorage": self = .bool
        case "ByteStorage": self = .uint8
        case "CharStorage": self = .int8
        case "ShortStorage": self = .int16
        case "HalfStorage": self = .float16
        case "BFloat16Storage": self = .bfloat16
        case "IntStorage": self = .int32
        case "FloatStorage": self = .float32
        case "DoubleStorage": self = .float64
        case "LongStorage": self = .int64
        default: return nil
        }
    }

    /// - Parameter name: the name of a dtype in module `torch`, "float16": those that torch pickles.
    init?(torch name: String) {
        switch name {
        case "bool": self = .bool
        case "uint8": self = .uint8
        case "int8": self = .int8
        case "int16": self = .int16
        case "float16": self = .float16
        case "bfloat16": self = .bfloat16
        case "int32": self = .int32
        case "float32": self = .float32
        case "float64": self = .float64
        case "int64": self = .int64
        default: return nil
        }
    }

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
