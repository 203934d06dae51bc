import Errors
import Foundation
import Testing
import Torch

@Suite struct DeviceTests {
    @Test func theProcessorIsADevice() throws {
        #expect(try Device("cpu") == .cpu)
        #expect("\(try Device("cpu"))" == "cpu")
        #expect("\(Device.cuda(1))" == "cuda:1")
    }

    @Test(arguments: [
        "gpu", "", "CPU", "cpu:0", "cuda:", ":cuda", "cuda:x", "cuda:-1", "cuda:0:0", "cuda 0",
        "cuda:99999999999999999999",
    ])
    func anUnknownNameIsSaid(name: String) {
        let error = #expect(throws: LoopyError.self) { try Device(name) }
        #expect(error?.category == .device)
        #expect(error?.message == "'\(name)' is no device: devices are cpu, cuda, cuda:N")
    }

    @Test(
        .enabled(if: Device.cudaCount == 0, "there is a CUDA device"),
        arguments: ["cuda", "cuda:0"])
    func aDeviceThatIsNotHereIsSaid(name: String) {
        let error = #expect(throws: LoopyError.self) { try Device(name) }
        #expect(error?.category == .device)
        let expected =
            "there is no device '\(name)' here: libtorch \(LibTorch.version) sees no CUDA"
        #expect(error?.message.hasPrefix(expected) == true)
    }

    @Test(.enabled(if: Device.cudaCount == 0, "there is a CUDA device"))
    func aGeneratorThatIsNotHereIsSaid() {
        let error = #expect(throws: LoopyError.self) { try Generator(seed: 1, device: .cuda(0)) }
        #expect(error?.category == .device)
        #expect(error?.message.hasPrefix("making a random generator on cuda:0: ") == true)
    }

    @Test func aDeviceBeyondTheLastIsSaid() {
        let error = #expect(throws: LoopyError.self) { try Device("cuda:\(Device.cudaCount)") }
        #expect(error?.category == .device)
    }

    @Test func theVersionIsKnown() {
        #expect(LibTorch.version.split(separator: ".").count >= 2)
        #expect(LibTorch.version.hasPrefix("2."))
    }

    @Test func threadsAreSetForThisThreadAndThoseThatFollow() throws {
        let former = LibTorch.threads
        defer { LibTorch.configure(threads: former) }
        for count in [3, 1, 2] {
            LibTorch.configure(threads: count)
            #expect(LibTorch.threads == count)
            #expect(onNewThread { LibTorch.threads } == count)
        }
        LibTorch.withThreads(1) { #expect(LibTorch.threads == 1) }
        #expect(LibTorch.threads == 2)
    }

    /// The test bundle configures libtorch when it is loaded, as an executable does when it begins.
    @Test func threadsChangeNoBitOfAProduct() throws {
        let generator = try Generator(seed: 0)
        let (a, b) = (
            Tensor.normal([67, 1031], generator: generator),
            Tensor.normal([1031, 129], generator: generator)
        )
        let products = [1, 2, 3].map { LibTorch.withThreads($0) { a.matmul(b) } }
        #expect(products.allSatisfy { $0.isEqual(to: products[0]) })
        #expect(ProcessInfo.processInfo.environment["MKL_CBWR"] == "AUTO,STRICT")
    }

    @Test func modesBelongToTheirThread() {
        withoutGradient {
            let isRecorded = onNewThread {
                (Tensor.ones([1]).requiringGradient() * 2).requiresGradient
            }
            #expect(isRecorded)
        }
        withAutocast(.cpu) {
            let type = onNewThread { linear(.ones([1, 1]), .ones([1, 1])).type }
            #expect(type == .float32)
        }
    }

    private func onNewThread<Result: Sendable>(
        _ body: @escaping @Sendable () -> Result
    ) -> Result {
        let results = Results<Result>()
        let thread = Thread {
            results.value = body()
            results.isThere.signal()
        }
        thread.start()
        results.isThere.wait()
        return results.value!  // set before the signal
    }

    /// Unchecked: written before the signal, read after it.
    private final class Results<Value>: @unchecked Sendable {
        var value: Value?
        let isThere = DispatchSemaphore(value: 0)
    }
}
