import Torch

/// The precision of matrix products and convolutions. Norms, losses and what adds up over many terms are
/// float32 in any case.
public enum ComputePrecision: String, Codable, Sendable, CaseIterable {
    case float32, bfloat16

    /// Runs a body whose operators compute in this precision. Synchronous: the mode is the thread's.
    package func computing<Result>(on device: Device, _ body: () throws -> Result) rethrows
        -> Result
    {
        self == .bfloat16 ? try withAutocast(device, .bfloat16, body) : try body()
    }

    /// A precision that a user asks for.
    public enum Choice: String, Codable, Sendable, CaseIterable {
        /// The fast one on a GPU, the exact one on a processor, of which not all compute in bfloat16.
        case automatic
        case float32, bfloat16

        public func resolved(on device: String) -> ComputePrecision {
            switch self {
            case .automatic: device.hasPrefix("cuda") ? .bfloat16 : .float32
            case .float32: .float32
            case .bfloat16: .bfloat16
            }
        }
    }
}
