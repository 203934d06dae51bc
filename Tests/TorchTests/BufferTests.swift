import Testing
import Torch
import Weights

/// From Swift's memory and back.
@Suite struct BufferTests {
    /// Memory that says when it is freed.
    final class Memory {
        let elements: UnsafeMutableBufferPointer<Float>
        private let freed: (() -> Void)?

        init(_ values: [Float], freed: (() -> Void)? = nil) {
            elements = .allocate(capacity: values.count)
            _ = elements.initialize(from: values)
            self.freed = freed
        }

        deinit {
            elements.deallocate()
            freed?()
        }

        func tensor(_ shape: [Int], strides: [Int]? = nil) -> Tensor {
            Tensor(
                sharing: elements.baseAddress!,  // allocated above
                shape: shape, strides: strides, type: .float32, owner: self)
        }
    }

    @Test func arraysAreCopied() {
        var values: [Float] = [1, 2, 3, 4]
        let x = Tensor(values, shape: [2, 2])
        values[0] = 9
        #expect(x.floats == [1, 2, 3, 4])
        #expect(Tensor(values).shape == [4])
    }

    @Test func everySwiftNumberGoesThereAndBack() {
        func check<Scalar: TensorScalar & Equatable>(_ values: [Scalar], _ type: ElementType) {
            let x = Tensor(values)
            #expect(x.type == type)
            #expect(x.array(of: Scalar.self) == values)
        }
        check([1.5, -2] as [Double], .float64)
        check([1.5, -2] as [Float], .float32)
        check([1 << 60, -2] as [Int], .int64)
        check([1 << 60, -2] as [Int64], .int64)
        check([1 << 30, -2] as [Int32], .int32)
        check([1 << 14, -2] as [Int16], .int16)
        check([255, 0] as [UInt8], .uint8)
        check([true, false], .bool)
    }

    @Test("types of elements hold what PyTorch's do", arguments: ElementType.allCases)
    func typesHoldTheSameValues(type: Weights.ElementType) throws {
        let stored = try fixture("types.safetensors")("\(type)")
        #expect(stored.type == type)
        let values: [Double] = type == .bool ? [0, 1, 1, 1, 1, 1] : [0, 1, 2, 3, 100, 1]
        #expect(stored.array(of: Double.self) == values)
        // And converted here.
        let converted = Tensor([0, 1, 2, 3, 100, 1] as [Double], shape: [2, 3]).to(type)
        #expect(converted.isEqual(to: stored))
        #expect(type.isReal == "\(type)".contains("float"))
        #expect("\(stored)" == "\(type)[2, 3]")
    }

    @Test func conversionToTheSameTypeIsTheSameTensor() {
        let x = counting(3)
        x.to(.float32).to(.cpu).contiguous()[0] = .full([], 5)
        x.copy()[1] = .full([], 5)
        #expect(x.floats == [5, 1, 2])
    }

    @Test func assigningConverts() {
        let x = Tensor.zeros([2, 2], type: .bfloat16)
        x.assign(Tensor([3, 4]))
        #expect(x.type == .bfloat16)
        #expect(x.floats == [3, 4, 3, 4])
    }

    @Test func bytesAreLentInTheOrderOfTheAxes() {
        let x = Tensor([1, 2, 3, 4, 5, 6] as [UInt8], shape: [2, 3])
        #expect(x.withBytes { Array($0) } == [1, 2, 3, 4, 5, 6])
        #expect(x.transposed(0, 1).withBytes { Array($0) } == [1, 4, 2, 5, 3, 6])
        #expect(x[.all, 1...].withBytes { Array($0) } == [2, 3, 5, 6])
        // Not copied where they lie so already.
        let first = x.withBytes { $0.baseAddress }
        #expect(x.withBytes { $0.baseAddress } == first)
        #expect(x[1].withBytes { $0.baseAddress } == first.map { $0 + 3 })
    }

    @Test func elementsAreWritten() {
        let x = counting(2, 3)
        x[1].withMutableElements(of: Float.self) { elements in
            for index in elements.indices { elements[index] *= -1 }
        }
        #expect(x.floats == [0, 1, 2, -3, -4, -5])
        Tensor.empty([0]).withMutableElements(of: Float.self) { #expect($0.isEmpty) }
    }

    @Test func elementsWithGapsCannotBeWritten() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            Tensor.zeros([2, 3]).transposed(0, 1).withMutableElements(of: Float.self) { _ in }
        }
        #expect(said(result).contains("float32[3, 2] cannot be written as Float"))
    }

    @Test func sharedMemoryIsSeenFromBothSides() {
        let memory = Memory([1, 2, 3, 4, 5, 6])
        let x = memory.tensor([2, 3])
        memory.elements[0] = 7
        #expect(x.floats == [7, 2, 3, 4, 5, 6])
        x[1] *= 10
        #expect(Array(memory.elements) == [7, 2, 3, 40, 50, 60])
        let columns = memory.tensor([3, 2], strides: [1, 3])
        #expect(columns.floats == [7, 40, 2, 50, 3, 60])
        #expect(memory.tensor([2, 2], strides: [0, 2]).floats == [7, 3, 7, 3])
    }

    @Test func theOwnerLivesAsLongAsATensorOfItsMemory() {
        var isFreed = false
        var x: Tensor? = Memory([1, 2, 3, 4]) { isFreed = true }.tensor([2, 2])
        #expect(!isFreed)
        var view: Tensor? = x?[1].unsqueezed(0)
        x = nil
        #expect(!isFreed)
        #expect(view?.floats == [3, 4])
        var result = view.map { $0 + 1 }
        view = nil
        #expect(isFreed)
        #expect(result?.floats == [4, 5])
        result = nil
    }

    @Test func theOwnerLivesAsLongAsTheBackwardPassNeedsIt() {
        var isFreed = false
        let weight = Tensor.ones([2]).requiringGradient()
        var loss: Tensor?
        do {
            let x = Memory([3, 4]) { isFreed = true }.tensor([2])
            loss = (x * weight).sum()
        }
        #expect(!isFreed)
        loss?.backward()
        loss = nil
        #expect(isFreed)
        #expect(weight.gradient?.floats == [3, 4])
    }

    @Test func theOwnerOfNoElementsIsReleased() {
        var isFreed = false
        do {
            let x = Memory([]) { isFreed = true }.tensor([0, 3])
            #expect(x.shape == [0, 3] && x.floats == [])
        }
        #expect(isFreed)
    }

    @Test func gradientsAreLeftOutOfWhatIsRead() {
        let x = counting(2).requiringGradient()
        #expect((x * 2).floats == [0, 2])
        #expect((x * 2)[1].scalar == 2)
        #expect((x * 2).withBytes { $0.count } == 8)
    }

    @Test func aShapeThatDoesNotFitTraps() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Tensor([1, 2, 3], shape: [2, 2]) }
        #expect(said(result).contains("3 values do not fill [2, 2]"))
    }
}
