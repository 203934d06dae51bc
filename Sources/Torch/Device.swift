import CTorch
import Errors

/// The device on which a tensor lies: "cpu", "cuda:0".
public enum Device: Sendable, Hashable, CustomStringConvertible {
    case cpu
    case cuda(Int)

    /// - Parameter name: "cpu", "cuda" (the first device) or "cuda:N".
    /// - Throws: `LoopyError` `.device` for another name, or a device that is not here.
    public init(_ name: String) throws(LoopyError) {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        if name == "cpu" {
            self = .cpu
            return
        }
        guard parts[0] == "cuda", parts.count <= 2,
            let index = parts.count == 1 ? 0 : Int(parts[1]), index >= 0
        else {
            throw LoopyError(.device, "'\(name)' is no device: devices are cpu, cuda, cuda:N")
        }
        guard index < Device.cudaCount else {
            let found = Device.cudaCount == 0 ? "no CUDA device" : "\(Device.cudaCount) of them"
            throw LoopyError(
                .device,
                "there is no device '\(name)' here: libtorch \(LibTorch.version) sees \(found)")
        }
        self = .cuda(index)
    }

    /// CUDA devices that this build of libtorch can use here.
    public static let cudaCount = Int(loopy_torch_cuda_devices())

    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .cuda(let index): "cuda:\(index)"
        }
    }

    /// c10::DeviceType.
    var type: Int32 {
        switch self {
        case .cpu: 0
        case .cuda: 1
        }
    }

    var index: Int32 {
        switch self {
        case .cpu: -1
        case .cuda(let index): Int32(index)
        }
    }

    init(type: Int32, index: Int32) {
        switch type {
        case 0: self = .cpu
        case 1: self = .cuda(Int(max(0, index)))
        default: fatalError("tensors on libtorch's device type \(type) are not supported")
        }
    }
}
