import Testing
import Torch

/// Views: other shapes of the same elements.
@Suite struct ShapeTests {
    @Test func aTensorTellsItsShape() {
        let x = counting(2, 3, 4)
        #expect(x.rank == 3)
        #expect(x.shape == [2, 3, 4])
        #expect(x.strides == [12, 4, 1])
        #expect(x.count == 24)
        #expect(x.length(0) == 2 && x.length(-1) == 4)
        #expect(x.isContiguous)
        #expect(x.device == .cpu)
        #expect("\(x)" == "float32[2, 3, 4]")
    }

    @Test func aSingleNumberHasNoAxes() {
        let x = Tensor([7] as [Float], shape: [])
        #expect(x.rank == 0 && x.shape == [] && x.strides == [] && x.count == 1)
        #expect(x.scalar == 7)
        #expect(x.floats == [7])
        #expect((x + 1).reshaped(1, 1).shape == [1, 1])
        #expect(x.sum().scalar == 7 && x.amax().scalar == 7 && x.variance().scalar == 0)
    }

    @Test func emptyTensorsWork() {
        let x = Tensor([] as [Float], shape: [0, 3])
        #expect(x.count == 0 && x.isContiguous)
        #expect(x.floats == [])
        #expect((x + 1).shape == [0, 3])
        #expect(x.sum([0]).floats == [0, 0, 0])
        #expect(concatenated([x, counting(2, 3)], along: 0).shape == [2, 3])
        #expect(x.transposed(0, 1).contiguous().shape == [3, 0])
        #expect(x.withBytes { $0.count } == 0)
        #expect(x.isFinite)
    }

    @Test func viewsShareTheirElements() {
        let x = counting(2, 6)
        let views = [
            x.reshaped(3, 4), x.transposed(0, 1), x.permuted(1, 0), x.unsqueezed(0),
            x.flattened(), x.unsqueezed(1).squeezed(1), x.unsqueezed(0).expanded(5, -1, -1),
            x.asStrided([12], strides: [1]), x.unfold(along: 1, size: 2, step: 2), x.detached(),
        ]
        x[0, 0] = .full([], 42)
        for view in views { #expect(view.contiguous().floats[0] == 42) }
    }

    @Test func reshapingFindsTheLengthThatIsLeft() {
        #expect(counting(2, 3, 4).reshaped(4, -1).shape == [4, 6])
        #expect(counting(2, 3, 4).reshaped([-1]).shape == [24])
        #expect(counting(2, 3, 4).flattened(from: 1).shape == [2, 12])
        #expect(counting(2, 3, 4).flattened(from: 0, through: 1).shape == [6, 4])
    }

    @Test func axesMove() {
        let x = counting(2, 3)
        #expect(x.transposed(0, -1).floats == [0, 3, 1, 4, 2, 5])
        #expect(!x.transposed(0, 1).isContiguous)
        #expect(x.transposed(0, 1).strides == [1, 3])
        #expect(counting(2, 3, 4).permuted(2, 0, 1).shape == [4, 2, 3])
        #expect(counting(2, 3, 4).permuted(-1, 0, 1)[1, 0, 2].scalar == 9)
    }

    @Test func axesOfLengthOneComeAndGo() {
        #expect(counting(2, 3).unsqueezed(1).shape == [2, 1, 3])
        #expect(counting(2, 3).unsqueezed(-1).shape == [2, 3, 1])
        #expect(counting(2, 1, 3).squeezed(1).shape == [2, 3])
        #expect(counting(2, 1, 3).squeezed(0).shape == [2, 1, 3])
    }

    @Test func elementsAreRepeated() {
        #expect(counting(1, 2).expanded(3, -1).floats == [0, 1, 0, 1, 0, 1])
        #expect(counting(1, 2).expanded(3, -1).strides == [0, 1])
        #expect(counting(2, 2).repeatInterleave(2, along: 1).floats == [0, 0, 1, 1, 2, 2, 3, 3])
    }

    @Test func partsAlongAnAxis() {
        let x = counting(2, 5)
        #expect(x.chunks(2, along: 1).map(\.shape) == [[2, 3], [2, 2]])
        #expect(x.chunks(4, along: 1).map(\.shape) == [[2, 2], [2, 2], [2, 1]])
        let parts = x.split([1, 4], along: -1)
        #expect(parts.map(\.shape) == [[2, 1], [2, 4]])
        #expect(parts[1].floats == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(concatenated(parts, along: 1).isEqual(to: x))
        #expect(stacked([x, x], along: 1).shape == [2, 2, 5])
        #expect(stacked([x[0], x[1]], along: 0).isEqual(to: x))
    }

    @Test func windowsOverlap() {
        let windows = counting(6).unfold(along: 0, size: 3, step: 2)
        #expect(windows.shape == [2, 3])
        #expect(windows.floats == [0, 1, 2, 2, 3, 4])
    }

    @Test func aViewByStridesBeginsWhereItsTensorDoes() {
        let x = counting(10)
        #expect(x[2...].asStrided([2, 2], strides: [3, 1]).floats == [2, 3, 5, 6])
        #expect(x[2...].asStrided([2], strides: [1], offset: 0).floats == [0, 1])
    }

    @Test func channelsLastChangesTheOrderOnly() {
        let x = counting(1, 3, 2, 2)
        #expect(x.channelsLast().strides == [12, 1, 6, 3])
        #expect(x.channelsLast().isEqual(to: x))
    }

    @Test func anImpossibleShapeNamesOperatorAndShapes() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            _ = Tensor.zeros([2, 3]).reshaped(4, 2)
        }
        #expect(said(result).contains("aten::reshape(float32[2, 3], [4, 2])"))
        #expect(said(result).contains("shape '[4, 2]' is invalid for input of size 6"))
    }
}
