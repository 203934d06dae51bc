import Foundation

/// Random numbers that words determine, the same on every machine and with every release of Swift:
/// what a run draws must not change when it goes on elsewhere. (SplitMix64.)
public struct SeededNumbers: Codable, Sendable, Equatable {
    private var state: UInt64

    /// - Parameter words: for example a seed, an epoch, the key of a clip.
    public init(_ words: String...) {
        // FNV-1a; the zero byte keeps ("a", "b") and ("ab") apart.
        state = 0xcbf2_9ce4_8422_2325
        for word in words {
            for byte in Array(word.utf8) + [0] {
                state = (state ^ UInt64(byte)) &* 0x100_0000_01b3
            }
        }
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// Draws one of `0 ..< count`.
    public mutating func below(_ count: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(count)).high)
    }

    /// Draws evenly from 0 to less than 1.
    public mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }

    /// Draws evenly from one number to another.
    public mutating func between(_ low: Double, _ high: Double) -> Double {
        low + (high - low) * unit()
    }

    /// Draws from the standard normal distribution (Box and Muller).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - unit())).squareRoot()
        return radius * cos(2 * .pi * unit())
    }

    /// Draws an order of `0 ..< count`.
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(index, below(index + 1))
        }
        return order
    }
}
