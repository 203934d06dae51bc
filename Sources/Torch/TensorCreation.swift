import Weights

extension Tensor {
    /// Uninitialised elements.
    public static func empty(
        _ shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) -> Tensor {
        Operator.empty(shape, type, DefaultArgument(), device)
    }

    public static func zeros(
        _ shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) -> Tensor {
        Operator.zeros(shape, type, DefaultArgument(), device)
    }

    public static func ones(
        _ shape: [Int], type: ElementType = .float32, device: Device = .cpu
    ) -> Tensor {
        Operator.ones(shape, type, DefaultArgument(), device)
    }

    public static func full(
        _ shape: [Int], _ value: Double, type: ElementType = .float32, device: Device = .cpu
    ) -> Tensor {
        Operator.full(shape, value, type, DefaultArgument(), device)
    }

    /// `lower, lower + 1, … upper - 1`.
    public static func arange(
        _ range: Range<Int>, type: ElementType = .int64, device: Device = .cpu
    ) -> Tensor {
        Operator.arange(range.lowerBound, range.upperBound, type, DefaultArgument(), device)
    }

    /// `count` values from `first` to `last`, both included, equally spaced.
    public static func linspace(
        _ first: Double, _ last: Double, count: Int, type: ElementType = .float32,
        device: Device = .cpu
    ) -> Tensor {
        Operator.linspace(first, last, count, type, DefaultArgument(), device)
    }

    /// Draws from the standard normal distribution.
    public static func normal(
        _ shape: [Int], generator: Generator, type: ElementType = .float32
    ) -> Tensor {
        Operator.randn(shape, generator, type, DefaultArgument(), generator.device)
    }

    /// Draws evenly from 0 to 1.
    public static func uniform(
        _ shape: [Int], generator: Generator, type: ElementType = .float32
    ) -> Tensor {
        Operator.rand(shape, generator, type, DefaultArgument(), generator.device)
    }

    /// Integers drawn evenly from a range.
    public static func integers(
        _ range: Range<Int>, _ shape: [Int], generator: Generator
    ) -> Tensor {
        Operator.randint(
            range.lowerBound, range.upperBound, shape, generator, ElementType.int64,
            DefaultArgument(), generator.device)
    }

    /// A random order of `0 ..< count`.
    public static func permutation(_ count: Int, generator: Generator) -> Tensor {
        Operator.randperm(count, generator, ElementType.int64, DefaultArgument(), generator.device)
    }

    public func zerosLike() -> Tensor { .zeros(shape, type: type, device: device) }

    public func onesLike() -> Tensor { .ones(shape, type: type, device: device) }
}

extension Operator {
    fileprivate static let empty = Operator("aten::empty", "memory_format")
    fileprivate static let zeros = Operator("aten::zeros")
    fileprivate static let ones = Operator("aten::ones")
    fileprivate static let full = Operator("aten::full")
    fileprivate static let arange = Operator("aten::arange", "start")
    fileprivate static let linspace = Operator("aten::linspace")
    fileprivate static let randn = Operator("aten::randn", "generator")
    fileprivate static let rand = Operator("aten::rand", "generator")
    fileprivate static let randint = Operator("aten::randint", "low_generator")
    fileprivate static let randperm = Operator("aten::randperm", "generator")
}
