import COpenVINO
import Errors
import Foundation

/// A frozen network on the CPU, read from .tflite, .onnx or OpenVINO's own format. It takes and gives
/// float32, runs one request at a time, and belongs to one thread at a time.
public final class Network {
    /// The network's file.
    public let path: String
    /// The values of each input, in C order: a caller writes them before `run`.
    public private(set) var inputs: [UnsafeMutableBufferPointer<Float>] = []
    private var request: OpaquePointer?
    private var compiled: OpaquePointer?
    private var tensors: [OpaquePointer] = []
    /// The number of outputs.
    public let outputCount: Int

    /// - Parameters:
    ///   - inputShapes: shapes to run with; nil takes the file's, which must then be fixed.
    ///   - openAxes: for a network of one input, the lengths of the axes that the file leaves open;
    ///     those that it fixes stay as they are.
    ///   - threads: processors that one request may use.
    /// - Throws: `LoopyError` that names the file.
    public init(
        path: String, inputShapes: [[Int]]? = nil, openAxes: [Int]? = nil, threads: Int = 1
    ) throws {
        self.path = path
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw LoopyError(
                .missing,
                "\(path): the network's file is missing; Scripts/setup.sh fetches the embedded ones"
            )
        }
        compiled =
            try openAxes == nil ? CompiledNetworks.network(path, threads: threads) : nil
        if compiled == nil {
            let core = try Runtime.core
            var model: OpaquePointer?
            try Network.check(
                ov_core_read_model(core, path, nil, &model), "\(path): cannot be read")
            defer { ov_model_free(model) }
            if let openAxes { try Network.close(model, openAxes, path: path) }
            try Network.check(
                loopy_ov_compile_for_cpu(core, model, String(threads), &compiled),
                "\(path): cannot be compiled")
        }
        var inputCount = 0, outputCount = 0
        ov_compiled_model_inputs_size(compiled, &inputCount)
        ov_compiled_model_outputs_size(compiled, &outputCount)
        self.outputCount = outputCount
        try Network.check(
            ov_compiled_model_create_infer_request(compiled, &request), "\(path): cannot be run")
        if let inputShapes, inputShapes.count != inputCount {
            throw LoopyError(
                .malformed,
                "\(path): takes \(inputCount) inputs, not \(inputShapes.count); is it the network "
                    + "it should be?")
        }
        for index in 0..<inputCount {
            let shape = try inputShapes?[index] ?? shape(ofInput: index)
            try attachInput(index, shape: shape)
        }
    }

    deinit {
        for tensor in tensors { ov_tensor_free(tensor) }
        ov_infer_request_free(request)
        ov_compiled_model_free(compiled)
        for input in inputs { input.deallocate() }
    }

    /// Runs the network on the values in `inputs`.
    public func run() throws {
        try Network.check(ov_infer_request_infer(request), "\(path): running failed")
    }

    /// Calls `body` with the values of an output, in C order. Whole numbers, booleans and other
    /// floating-point numbers are converted to float32.
    ///
    /// - Throws: `LoopyError` `.malformed` for an output of another type, and what `body` throws.
    public func withOutput<Result>(
        _ index: Int, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) throws -> Result {
        let tensor = try tensor(ofOutput: index)
        defer { ov_tensor_free(tensor) }
        var count = 0
        var type = DYNAMIC
        var data: UnsafeMutableRawPointer?
        ov_tensor_get_size(tensor, &count)
        ov_tensor_get_element_type(tensor, &type)
        try Network.check(ov_tensor_data(tensor, &data), "\(path): output \(index) is unreadable")
        guard let data else { throw LoopyError(.malformed, "\(path): output \(index) is empty") }
        if type == F32 {
            let values = UnsafeBufferPointer(
                start: data.assumingMemoryBound(to: Float.self), count: count)
            return try body(values)
        }
        guard let values = NetworkElement(type)?.floats(data, count: count) else {
            throw LoopyError(
                .malformed,
                "\(path): output \(index) (\(try name(ofOutput: index))) is of a type that Loopy does "
                    + "not read (number \(type.rawValue) of OpenVINO's ov_element_type_e); export the "
                    + "network with float32 outputs")
        }
        return try values.withUnsafeBufferPointer(body)
    }

    /// - Returns: a tensor that the caller frees.
    private func tensor(ofOutput index: Int) throws -> OpaquePointer? {
        var tensor: OpaquePointer?
        try Network.check(
            ov_infer_request_get_output_tensor_by_index(request, index, &tensor),
            "\(path): has no output \(index)")
        return tensor
    }

    private func name(ofOutput index: Int) throws -> String {
        var port: OpaquePointer?
        try Network.check(
            ov_compiled_model_output_by_index(compiled, index, &port),
            "\(path): has no output \(index)")
        defer { ov_output_const_port_free(port) }
        var name: UnsafeMutablePointer<CChar>?
        guard ov_port_get_any_name(port, &name) == OK, let name else { return "without a name" }
        defer { ov_free(name) }
        return String(cString: name)
    }

    /// The shape of an output, after a run.
    public func shape(ofOutput index: Int) throws -> [Int] {
        let tensor = try tensor(ofOutput: index)
        defer { ov_tensor_free(tensor) }
        var shape = ov_shape_t()
        try Network.check(
            ov_tensor_get_shape(tensor, &shape), "\(path): output \(index) has no shape")
        defer { ov_shape_free(&shape) }
        return (0..<Int(shape.rank)).map { Int(shape.dims[$0]) }
    }

    /// The index of the output with this many values: exporters do not agree on the order of outputs.
    public func output(ofCount wanted: Int) throws -> Int {
        for index in 0..<outputCount where try shape(ofOutput: index).reduce(1, *) == wanted {
            return index
        }
        throw LoopyError(
            .malformed,
            "\(path): has no output of \(wanted) values; is it the network it should be?")
    }

    /// Gives the only input's open axes these lengths.
    private static func close(
        _ model: OpaquePointer?, _ lengths: [Int], path: String
    ) throws {
        var port: OpaquePointer?
        try Network.check(
            ov_model_const_input(model, &port),
            "\(path): has not one input; is it the network it should be?")
        defer { ov_output_const_port_free(port) }
        var given = ov_partial_shape_t()
        try Network.check(
            ov_port_get_partial_shape(port, &given), "\(path): the shape of its input is unreadable"
        )
        defer { ov_partial_shape_free(&given) }
        // Where not even the number of axes is known, all are open.
        let isOpen = ov_dimension_is_dynamic(given.rank)
        guard isOpen || Int(given.rank.max) == lengths.count else {
            throw LoopyError(
                .malformed,
                "\(path): its input has \(given.rank.max) axes, not \(lengths.count); is it the "
                    + "network it should be?")
        }
        let closed = lengths.indices.map { axis -> Int64 in
            guard !isOpen, !ov_dimension_is_dynamic(given.dims[axis]) else {
                return Int64(lengths[axis])
            }
            return given.dims[axis].max
        }
        var shape = ov_partial_shape_t()
        try Network.check(
            ov_partial_shape_create_static(Int64(closed.count), closed, &shape),
            "\(path): shape refused")
        defer { ov_partial_shape_free(&shape) }
        try Network.check(
            ov_model_reshape_single_input(model, shape), "\(path): does not take \(closed)")
    }

    /// The shape of an input that has a fixed one.
    public func shape(ofInput index: Int) throws -> [Int] {
        var port: OpaquePointer?
        try Network.check(
            ov_compiled_model_input_by_index(compiled, index, &port),
            "\(path): has no input \(index)")
        defer { ov_output_const_port_free(port) }
        var shape = ov_shape_t()
        try Network.check(
            ov_const_port_get_shape(port, &shape),
            "\(path): input \(index) has no fixed shape")
        defer { ov_shape_free(&shape) }
        return (0..<Int(shape.rank)).map { Int(shape.dims[$0]) }
    }

    private func attachInput(_ index: Int, shape dimensions: [Int]) throws {
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: dimensions.reduce(1, *))
        buffer.initialize(repeating: 0)
        inputs.append(buffer)
        var shape = ov_shape_t()
        let wide = dimensions.map(Int64.init)
        try Network.check(
            ov_shape_create(Int64(wide.count), wide, &shape), "\(path): shape refused")
        defer { ov_shape_free(&shape) }
        var tensor: OpaquePointer?
        try Network.check(
            ov_tensor_create_from_host_ptr(F32, shape, buffer.baseAddress, &tensor),
            "\(path): input \(index) cannot be made")
        if let tensor { tensors.append(tensor) }
        try Network.check(
            ov_infer_request_set_input_tensor_by_index(request, index, tensor),
            "\(path): does not take \(dimensions) as input \(index)")
    }

    private static func check(_ status: ov_status_e, _ doing: String) throws {
        guard status != OK else { return }
        let reason = ov_get_error_info(status).map { String(cString: $0) } ?? "unknown"
        throw LoopyError(.malformed, "\(doing) (OpenVINO: \(reason))")
    }
}

/// OpenVINO's core, made once a process: it loads plugins from disk.
enum Runtime {
    // Unsafe: the pointer never changes, and OpenVINO documents its core as thread-safe.
    nonisolated(unsafe) private static let pointer: OpaquePointer? = {
        var created: OpaquePointer?
        ov_core_create(&created)
        return created
    }()

    static var core: OpaquePointer {
        get throws {
            guard let pointer else { throw LoopyError(.processing, "OpenVINO cannot be started") }
            return pointer
        }
    }
}
