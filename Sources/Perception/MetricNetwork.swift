import Errors
import Foundation
import Storage
import Torch

/// A network that turns pictures or sound into features or scores: TorchScript (`.pt`) or `.onnx`. It belongs
/// to one thread at a time.
package final class MetricNetwork {
    private let file: String
    /// Whether the network is called as the published Inception and I3D are, with `return_features=True`.
    package let returnsFeatures: Bool
    private let form: Form
    private let threads: Int
    /// The network for the shape of the last input: a video's pictures have one.
    private var compiled: (shape: [Int], network: Network)?

    private enum Form {
        case onnx
        case script(ScriptModule)
    }

    /// The endings of the files that it reads.
    package static let endings = ["onnx", "pt", "pth", "ts"]

    /// - Throws: `LoopyError` for a file of another kind, one that cannot be read, and a device that
    ///   is not here.
    package init(_ file: String, device: String, threads: Int) throws {
        self.file = file
        self.threads = threads
        switch (file as NSString).pathExtension.lowercased() {
        case "onnx":
            form = .onnx
            returnsFeatures = false
        case "pt", "pth", "ts":
            let module = try ScriptModule(path: file, device: Device(device))
            form = .script(module)
            returnsFeatures = module.takes("return_features")
        default:
            throw LoopyError(
                .configuration, "\(file): networks are .onnx files, or TorchScript in .pt files")
        }
    }

    /// Runs on one input, and returns all numbers of its first output.
    ///
    /// - Parameters:
    ///   - input: `[1, …]`; uint8 only for TorchScript.
    ///   - flags: arguments by name, which TorchScript alone takes.
    package func callAsFunction(_ input: Tensor, flags: [String: Bool] = [:]) throws -> [Float] {
        switch form {
        case .script(let module):
            guard let output = try module(input.contiguous(), flags: flags).first else {
                throw LoopyError(.configuration, "\(file): gives no tensor")
            }
            return output.array(of: Float.self)
        case .onnx:
            let network: Network
            if let compiled, compiled.shape == input.shape {
                network = compiled.network
            } else {
                network = try Network(
                    path: file, inputShapes: [input.shape],
                    threads: threads > 0 ? threads : Processors.available)
                compiled = (input.shape, network)
            }
            let values = input.array(of: Float.self)
            _ = network.inputs[0].update(from: values)
            try network.run()
            return try network.withOutput(0) { Array($0) }
        }
    }

    /// Runs a network that gives one number.
    ///
    /// - Throws: `LoopyError` `.configuration` where it gives more.
    package func score(_ input: Tensor) throws -> [Float] {
        let values = try self(input)
        guard values.count == 1 else {
            throw LoopyError(
                .configuration,
                "\(file): gives \(values.count) numbers for \(input.shape), and a score is one; is "
                    + "it the network it should be?")
        }
        return values
    }
}
