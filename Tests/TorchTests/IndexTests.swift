import Testing
import Torch

/// `tensor[…]`, read and set.
@Suite struct IndexTests {
    let x = counting(2, 3, 4)

    @Test func indicesSelect() {
        #expect(x[1, 2, 3].scalar == 23)
        #expect(x[1, 2, 3].shape == [])
        #expect(x[1].shape == [3, 4])
        #expect(x[-1, -3, -2].scalar == 14)
        #expect(x[].isEqual(to: x))
    }

    @Test func rangesKeepTheirAxis() {
        #expect(x[0..<1].shape == [1, 3, 4])
        #expect(x[.all, 1...].shape == [2, 2, 4])
        #expect(x[.all, ..<2, 1..<3].floats == [1, 2, 5, 6, 13, 14, 17, 18])
        #expect(x[0, 1..<3, 2].floats == [6, 10])
        #expect(x[1..<1].shape == [0, 3, 4])
        #expect(x[2...].shape == [0, 3, 4])
        #expect(x[.all, .all, .all].isEqual(to: x))
    }

    @Test func restStandsForTheAxesBetween() {
        #expect(x[.rest, 0].shape == [2, 3])
        #expect(x[.rest, -1].floats == [3, 7, 11, 15, 19, 23])
        #expect(x[0, .rest, 0].floats == [0, 4, 8])
        #expect(x[.rest, 1..<2, 0..<2].floats == [4, 5, 16, 17])
        #expect(x[.rest].isEqual(to: x))
        #expect(x[0, 1, .rest, 2].scalar == 6)
    }

    @Test func newAxesAreInserted() {
        #expect(x[.newAxis].shape == [1, 2, 3, 4])
        #expect(x[.all, .newAxis].shape == [2, 1, 3, 4])
        #expect(x[.rest, .newAxis].shape == [2, 3, 4, 1])
        #expect(x[.rest, .newAxis, 0].shape == [2, 3, 1])
        #expect(x[0, .newAxis, 1..<3, .newAxis].shape == [1, 2, 1, 4])
        #expect(x[.newAxis, .rest, 1].shape == [1, 2, 3])
    }

    @Test func settingWritesThroughTheView() {
        let x = counting(2, 3)
        let other = x.reshaped(6)
        x[1, 0] = .full([], -1)
        x[.all, 1..<3] = Tensor([10, 20] as [Float])
        #expect(other.floats == [0, 10, 20, -1, 10, 20])
        x[0].transposed(0, 0)[..<1] = Tensor([7.9])
        #expect(other.floats[0] == 7.9)
        x[1...] += Tensor.ones([3])
        #expect(other.floats == [7.9, 10, 20, 0, 11, 21])
        x[.rest] *= 2
        #expect(other.floats == [15.8, 20, 40, 0, 22, 42])
    }

    @Test func settingConvertsTheType() {
        let x = Tensor([1, 2, 3])
        x[0] = .full([], 2.7)
        #expect(x.type == .int64)
        #expect(x.array(of: Int.self) == [2, 2, 3])
    }

    @Test func elementsAreGathered() {
        let indices = Tensor([2, 0, 2])
        #expect(x.indexSelect(indices, along: 1).shape == [2, 3, 4])
        #expect(x[0, .all, 0].indexSelect(indices, along: 0).floats == [8, 0, 8])
    }

    @Test func whatIsOutsideTraps() async {
        let index = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Tensor.zeros([2, 3])[.all, 3] }
        #expect(said(index).contains("aten::select(float32[2, 3], 1, 3): "))

        let range = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Tensor.zeros([2, 3])[.all, 1..<4] }
        #expect(said(range).contains("1..<4 is outside of axis 1 of float32[2, 3]"))

        let many = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Tensor.zeros([2, 3])[.rest, 0..<1, 0..<1, 0..<1] }
        #expect(said(many).contains("3 indices are too many for float32[2, 3]"))
    }
}
