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
