import Weights

/// What a tensor's elements are.
public typealias ElementType = Weights.ElementType

extension ElementType {
    /// The number of the type in libtorch (`c10::ScalarType`).
    var code: Int32 {
        switch self {
        case .uint8: 0
        case .int8: 1
        case .int16: 2
        case .int32: 3
        case .int64: 4
        case .float16: 5
        case .float32: 6
        case .float64: 7
        case .bool: 11
        case .bfloat16: 15
        }
    }

    init(code: Int32) {
        guard let type = ElementType.allCases.first(where: { $0.code == code }) else {
            fatalError("tensors of libtorch's scalar type \(code) are not supported")
        }
        self = type
    }
}

/// Swift's numbers that tensors can hold.
public protocol TensorScalar: BitwiseCopyable {
    static var elementType: ElementType { get }
}

extension Double: TensorScalar { public static var elementType: ElementType { .float64 } }
extension Float: TensorScalar { public static var elementType: ElementType { .float32 } }
extension Int: TensorScalar { public static var elementType: ElementType { .int64 } }
extension Int64: TensorScalar { public static var elementType: ElementType { .int64 } }
extension Int32: TensorScalar { public static var elementType: ElementType { .int32 } }
extension Int16: TensorScalar { public static var elementType: ElementType { .int16 } }
extension UInt8: TensorScalar { public static var elementType: ElementType { .uint8 } }
extension Bool: TensorScalar { public static var elementType: ElementType { .bool } }

extension ElementType {
    /// Whether it holds real numbers, of whatever precision.
    public var isReal: Bool {
        switch self {
        case .float64, .float32, .float16, .bfloat16: true
        case .int64, .int32, .int16, .int8, .uint8, .bool: false
        }
    }
}
