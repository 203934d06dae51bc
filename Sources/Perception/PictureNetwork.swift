import Errors
import Foundation
import Torch

/// A network that looks at pictures of one size and was made elsewhere: .onnx, run by OpenVINO on the
/// CPU, or TorchScript (.pt), run by libtorch on any device. Belongs to one thread at a time.
final class PictureNetwork {
    private enum Backend {
        case openVINO(Network)
        case torchScript(ScriptModule)
    }

    let path: String
    /// The number of pictures that it takes at once, and their size.
    let batch: Int, height: Int, width: Int
    private let backend: Backend

    /// - Parameters:
    ///   - batch: the number of pictures wanted at once; it becomes 1 where the file is for single
    ///     pictures. (TorchScript does not say for how many it was traced: that is tried.)
    ///   - height: the pictures' height, like `width` used where the file does not say it.
    ///   - device: where TorchScript runs.
    ///   - threads: processors that an ONNX network may use. TorchScript uses those of the process.
    /// - Throws: `LoopyError` that names the file.
    init(path: String, batch: Int, height: Int, width: Int, device: Device, threads: Int) throws {
        self.path = path
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw LoopyError(
                .missing, "\(path): is missing or cannot be read; see `loopy models`")
        }
        let wanted = [batch, 3, height, width]
        if Self.isONNX(path) {
            let network = try Network(path: path, openAxes: wanted, threads: threads)
            let shape = try network.shape(ofInput: 0)
            guard shape.count == 4, shape[1] == 3 else {
                throw LoopyError(
                    .malformed,
                    "\(path): takes \(shape), not pictures; is it the network it should be?")
            }
            (self.batch, self.height, self.width) = (shape[0], shape[2], shape[3])
            backend = .openVINO(network)
        } else {
            let module = try ScriptModule(path: path, device: device)
            (self.height, self.width) = (height, width)
            let takesBatch = (try? module(.zeros(wanted))) != nil
            self.batch = takesBatch ? batch : 1
            if !takesBatch { _ = try module(.zeros([1, 3, height, width])) }
            backend = .torchScript(module)
        }
    }

    static func isONNX(_ path: String) -> Bool { path.lowercased().hasSuffix(".onnx") }

    /// - Parameter fill: called with `[N, 3, H, W]`, to be filled as far as there are pictures; what
    ///   stands behind them is run and means nothing.
    /// - Returns: float32, on the CPU; the batch is the first axis.
    func run(_ fill: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws -> [Tensor] {
        switch backend {
        case .openVINO(let network):
            try fill(network.inputs[0])
            try network.run()
            return try (0..<network.outputCount).map { index in
                let shape = try network.shape(ofOutput: index)
                return try network.withOutput(index) { Tensor(Array($0), shape: shape) }
            }
        case .torchScript(let module):
            let pictures = Tensor.zeros([batch, 3, height, width])
            try pictures.withMutableElements(of: Float.self, fill)
            return try module(pictures).map { $0.to(.cpu).to(.float32).contiguous() }
        }
    }
}
