public enum ElementType: String, Sendable, CaseIterable {
    case float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool
    public var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16, .int16: 2
        case .int8, .uint8, .bool: 1
        }
    }
    public var isFloatingPoint: Bool {
        switch self {
        case .float64, .float32, .float16, .bfloat16: true
        default: false
        }
    }
}
public struct StoredTensor {
    public let type: ElementType
    public let shape: [Int]
    public let strides: [Int]
    public let bytes: UnsafeRawBufferPointer
    public let owner: AnyObject
}
public final class Checkpoint {
    public let path: String
    public let names: [String] = []
    public init(_ path: String) throws { self.path = path }
    public func tensor(_ name: String) -> StoredTensor? { nil }
}
