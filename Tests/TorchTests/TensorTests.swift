import Testing
import Torch

@Suite struct TensorTests {
    @Test func arithmeticBroadcastsAsInNumpy() {
        let a = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let b = Tensor([10, 20, 30] as [Float])
        #expect((a + b).array(of: Float.self) == [11, 22, 33, 14, 25, 36])
    }
}
