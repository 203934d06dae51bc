import Errors
import Foundation
import Perception
import TestSupport
import Testing

@Suite struct NetworkTests {
    private func message(_ body: () throws -> some Any) -> String {
        let error = #expect(throws: LoopyError.self) { _ = try body() }
        return error?.message ?? ""
    }

    @Test func namesTheFileThatIsMissing() {
        let message = message { try Network(path: "/nowhere/face.tflite") }
        #expect(message.hasPrefix("/nowhere/face.tflite: "))
        #expect(message.contains("setup.sh"))
    }

    @Test(arguments: ["tflite", "onnx", "xml"])
    func namesTheFileThatIsNoNetwork(type: String) throws {
        try withFolder { folder in
            let path = folder + "/face." + type
            try Data("not a network at all".utf8).write(to: URL(fileURLWithPath: path))
            let message = message { try Network(path: path) }
            #expect(message.hasPrefix("\(path): cannot be read"))
        }
    }

    @Test func namesANetworkThatIsAnother() {
        let (short, full) = (
            EmbeddedNetwork.blazeFaceShortRange, EmbeddedNetwork.blazeFaceFullRange
        )
        let mesh = EmbeddedNetwork.faceMesh
        let messages = [
            (mesh, message { try BlazeFace(.short, path: mesh.path) }),
            (short, message { try BlazeFace(.full, path: short.path) }),
            (full, message { try FaceMesh(path: full.path) }),
            (mesh, message { try VoiceActivity(path: mesh.path) }),
        ]
        for (network, message) in messages {
            #expect(message.hasPrefix(network.path + ": "))
        }
    }

    /// Silero's other networks also take the sampling rate.
    @Test(
        .enabled(if: Place.exists(Place.package + "/.deps/wheels"), "set-up kept no wheels"))
    func refusesANetworkWithFurtherInputs() throws {
        try withFolder { folder in
            let wheels = Place.package + "/.deps/wheels/silero-vad==6.2.3"
            let wheel = try #require(
                FileManager.default.contentsOfDirectory(atPath: wheels).first)
            try run(["python3", "-m", "zipfile", "-e", wheels + "/" + wheel, folder])
            let path = folder + "/silero_vad/data/silero_vad_op18_ifless.onnx"
            let message = message { try VoiceActivity(path: path) }
            #expect(message.hasPrefix(path + ": takes 3 inputs, not 2"))
        }
    }

    // MARK: Compiled networks

    /// What processes compile is kept for others, and computes the same to the last bit.
    @Test(arguments: [
        EmbeddedNetwork.faceMesh, .blazeFaceFullRange, .blazeFaceShortRange, .sileroVAD,
    ])
    func whatWasCompiledBeforeComputesTheSame(network: EmbeddedNetwork) throws {
        try withFolder { folder in
            let former = ProcessInfo.processInfo.environment["XDG_CACHE_HOME"]
            defer {
                if let former {
                    setenv("XDG_CACHE_HOME", former, 1)
                } else {
                    unsetenv("XDG_CACHE_HOME")
                }
            }
            func outputs(cache: String) throws -> [[Float]] {
                setenv("XDG_CACHE_HOME", cache, 1)
                // The voice's network leaves the number of its inputs' rows open.
                let isVoice = network == .sileroVAD
                let made = try Network(
                    path: network.path, inputShapes: isVoice ? [[1, 576], [2, 1, 128]] : nil)
                for input in made.inputs {
                    for index in input.indices { input[index] = sin(Float(index) * 0.37) }
                }
                try made.run()
                return try (0..<made.outputCount).map { try made.withOutput($0) { Array($0) } }
            }
            let compiled = try outputs(cache: "none")
            #expect(try names(in: folder).isEmpty)
            #expect(try outputs(cache: folder) == compiled)
            let kept = folder + "/loopy/networks"
            let first = try names(in: kept)
            #expect(first.count == 1 && !first[0].contains("partial"))
            #expect(try outputs(cache: folder) == compiled)
            #expect(try names(in: kept) == first)

            // A file that the disk has spoilt is made again.
            let blob = kept + "/" + first[0] + "/" + (try names(in: kept + "/" + first[0])[0])
            let half = try Data(contentsOf: URL(fileURLWithPath: blob)).dropLast(1000)
            try FileManager.default.removeItem(atPath: blob)
            try half.write(to: URL(fileURLWithPath: blob))
            #expect(try outputs(cache: folder) == compiled)
        }
    }

    // MARK: Types of outputs

    /// Networks that cast their input: Fixtures/make_outputs.py.
    @Test func outputsOfOtherTypesAreConverted() throws {
        let network = try Network(path: Place.fixtures + "outputs/types.onnx")
        let values: [Float] = [0, 1, 2, 3, 4, 100]
        _ = network.inputs[0].update(fromContentsOf: values)
        try network.run()
        #expect(network.outputCount == 13)
        for index in 0..<network.outputCount {
            let isBoolean = index == 0
            #expect(try network.shape(ofOutput: index) == [2, 3])
            #expect(
                try network.withOutput(index) { Array($0) }
                    == (isBoolean ? [0, 1, 1, 1, 1, 1] : values), "output \(index)")
        }
    }

    @Test func namesTheOutputThatCannotBeRead() throws {
        let path = Place.fixtures + "outputs/four-bits.onnx"
        let network = try Network(path: path)
        try network.run()
        let message = message { try network.withOutput(0) { Array($0) } }
        #expect(message.hasPrefix("\(path): output 0 (i4) is of a type that Loopy does not read"))
        #expect(message.contains("float32"))
    }

    @Test func embeddedNetworksAreThere() {
        for network in EmbeddedNetwork.allCases {
            #expect(Place.exists(network.path))
            #expect(network.path(or: "embedded") == network.path)
            #expect(network.path(or: "/other.onnx") == "/other.onnx")
        }
    }
}
