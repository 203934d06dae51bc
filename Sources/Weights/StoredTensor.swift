import Errors

/// A tensor as it lies in a file: nothing is copied until somebody asks.
public struct StoredTensor {
    public let type: ElementType
    public let shape: [Int]
    /// The strides in elements, one for each axis. Torch saves views as they are: transposed, with gaps, or with
    /// stride 0 along an axis that was expanded.
    public let strides: [Int]
    /// The bytes from the first element to the last that shape and strides reach; empty without elements.
    ///
    /// Valid as long as `owner` lives. Not necessarily aligned to the element's size. Tensors that
    /// shared a storage when they were saved share these bytes.
    public let bytes: UnsafeRawBufferPointer
    /// Keeps the bytes mapped. They may be written to; the file is not changed thereby.
    public let owner: MappedFile

    /// How many elements the shape has.
    public var count: Int { shape.reduce(1, *) }

    /// Whether the elements lie one after another, the last axis varying fastest: `bytes` is then
    /// all that there is to copy.
    public var isContiguous: Bool {
        let expected = StoredTensor.rowMajorStrides(of: shape)
        return shape.contains(0)
            || shape.indices.allSatisfy { shape[$0] == 1 || strides[$0] == expected[$0] }
    }

    /// Copies the elements in row-major order, whatever the strides.
    ///
    /// - Parameter destination: `count * type.size` bytes.
    public func copy(to destination: UnsafeMutableRawBufferPointer) {
        precondition(destination.count == count * type.size, "the buffer does not fit the tensor")
        withExtendedLifetime(owner) {
            if isContiguous {
                destination.copyMemory(from: bytes)
            } else {
                switch type.size {
                case 1: gather(UInt8.self, to: destination)
                case 2: gather(UInt16.self, to: destination)
                case 4: gather(UInt32.self, to: destination)
                default: gather(UInt64.self, to: destination)
                }
            }
        }
    }

    private func gather<Element: BitwiseCopyable>(
        _ element: Element.Type, to destination: UnsafeMutableRawBufferPointer
    ) {
        let size = MemoryLayout<Element>.size
        var index = [Int](repeating: 0, count: shape.count)
        var source = 0
        for element in 0..<count {
            destination.storeBytes(
                of: bytes.loadUnaligned(fromByteOffset: source * size, as: Element.self),
                toByteOffset: element * size, as: Element.self)
            // Counts the index up as an odometer, the last axis first.
            for axis in shape.indices.reversed() {
                index[axis] += 1
                source += strides[axis]
                if index[axis] < shape[axis] { break }
                source -= index[axis] * strides[axis]
                index[axis] = 0
            }
        }
    }
}

extension StoredTensor {
    /// Torch's own limit is 64 axes.
    static let maximumRank = 64
    /// An expanded view has more elements than its storage. Beyond this many a caller that copies
    /// it would be out of memory for a file of a few bytes.
    static let maximumExpansion = 1 << 24

    /// Checks that every element that can be reached lies within the storage.
    ///
    /// - Parameters:
    ///   - storage: what the file holds for this tensor and perhaps others, within `owner`'s bytes.
    ///   - offset: the offset of the first element, in elements.
    /// - Throws: `LoopyError` `.malformed`, or `.unsupported` for a monstrous expanded view.
    init(
        _ name: String, type: ElementType, shape: [Int], strides: [Int], offset: Int = 0,
        storage: UnsafeRawBufferPointer, owner: MappedFile
    ) throws {
        func malformed(_ what: String) -> LoopyError {
            LoopyError(
                .malformed,
                "\(owner.path): tensor \(name) \(what): the file is damaged; "
                    + "download it again")
        }
        guard shape.count <= StoredTensor.maximumRank, shape.count == strides.count,
            shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), offset >= 0,
            let count = StoredTensor.count(of: shape)
        else { throw malformed("has an impossible shape \(shape), strides \(strides)") }
        let available = storage.count / type.size
        var reached = 0
        if count > 0 {
            guard let last = StoredTensor.lastElement(shape, strides),
                case (let end, let overflow) = offset.addingReportingOverflow(last), !overflow,
                end < available
            else {
                throw malformed(
                    "of shape \(shape), strides \(strides) and offset \(offset) reaches beyond its "
                        + "\(available) elements")
            }
            reached = last + 1
        }
        guard count <= max(available, StoredTensor.maximumExpansion) else {
            throw LoopyError(
                .unsupported,
                "\(owner.path): tensor \(name) is a view of \(count) elements on "
                    + "\(available); save it with .contiguous()")
        }
        self.type = type
        self.shape = shape
        self.strides = strides
        self.owner = owner
        let start = reached == 0 ? 0 : offset * type.size
        bytes = UnsafeRawBufferPointer(rebasing: storage[start..<(start + reached * type.size)])
    }

    /// How many elements a shape has; nil where even a byte for each would not fit in memory, or
    /// an axis of length 0 hides other axes of such lengths.
    static func count(of shape: [Int]) -> Int? {
        var product = 1
        for length in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: max(length, 1))
            // 8: the widest element.
            guard !overflow, next <= Int.max / 8 else { return nil }
            product = next
        }
        return shape.contains(0) ? 0 : product
    }

    /// - Parameter shape: one that `count(of:)` accepts.
    static func rowMajorStrides(of shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() {
            strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
        }
        return strides
    }

    /// How far from the first element the last one is, in elements; nil beyond what `Int` holds.
    private static func lastElement(_ shape: [Int], _ strides: [Int]) -> Int? {
        var last = 0
        for (length, stride) in zip(shape, strides) {
            let (distance, tooFar) = (length - 1).multipliedReportingOverflow(by: stride)
            let (sum, overflow) = last.addingReportingOverflow(distance)
            guard !tooFar, !overflow, sum < Int.max else { return nil }
            last = sum
        }
        return last
    }
}
