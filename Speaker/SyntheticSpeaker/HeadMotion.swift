import Foundation
import Runs

/// Where a head is in one frame, and how far its eyes are closed, against the portrait.
public struct HeadState: Sendable, Equatable {
    /// Degrees by which the head is turned to the picture's right.
    public var yaw = 0.0
    /// Degrees by which it looks up.
    public var pitch = 0.0
    /// Degrees by which its top leans to the picture's right.
    public var roll = 0.0
    /// The way to the picture's right, in eye distances.
    public var x = 0.0
    /// The way down, in eye distances.
    public var y = 0.0
    /// How much larger the head is.
    public var scale = 1.0
    /// 0 with open eyes, 1 with closed ones.
    public var blink = 0.0

    public init() {}
}

/// How a head sways, turns, nods and blinks: functions of time that a seed determines.
public struct HeadMotion: Sendable {
    private let yaw: Sway, pitch: Sway, roll: Sway, x: Sway, y: Sway, scale: Sway
    /// The seconds at which the head nods and by how many degrees, and at which the eyes begin to close.
    private let nods: [(time: Double, depth: Double)]
    private let blinks: [Double]

    /// - Parameters:
    ///   - name: whose motion it is: heads of one seed move differently.
    ///   - seconds: how long it lasts.
    public init(seed: UInt64, name: String, seconds: Double) {
        func sway(_ channel: String, _ amplitude: Double) -> Sway {
            var numbers = SeededNumbers("\(seed)", name, channel)
            return Sway(amplitude: amplitude, &numbers)
        }
        (yaw, pitch, roll) = (sway("yaw", 9), sway("pitch", 4), sway("roll", 4))
        (x, y, scale) = (sway("x", 0.12), sway("y", 0.06), sway("scale", 0.02))

        var numbers = SeededNumbers("\(seed)", name, "nods")
        var time = numbers.between(0.5, 3)
        var nods: [(time: Double, depth: Double)] = []
        while time < seconds {
            nods.append((time, numbers.between(3, 6)))
            time += numbers.between(2, 5)
        }
        self.nods = nods

        numbers = SeededNumbers("\(seed)", name, "blinks")
        time = numbers.between(0.3, 2)
        var blinks: [Double] = []
        while time < seconds {
            blinks.append(time)
            time += numbers.between(1.2, 4.5)
        }
        self.blinks = blinks
    }

    /// The head at a time, in seconds.
    public func state(at time: Double) -> HeadState {
        var state = HeadState()
        state.yaw = yaw.value(at: time)
        state.pitch = nods.reduce(pitch.value(at: time)) { pitch, nod in
            let distance = (time - nod.time) / 0.2
            return pitch - nod.depth * exp(-distance * distance / 2)
        }
        state.roll = roll.value(at: time)
        (state.x, state.y) = (x.value(at: time), y.value(at: time))
        state.scale = 1 + scale.value(at: time)
        state.blink = blinks.reduce(0) { max($0, Self.blink(time - $1)) }
        return state
    }

    /// Eyes close within 0.1 s and open within 0.18 s.
    private static func blink(_ time: Double) -> Double {
        guard time > 0, time < 0.32 else { return 0 }
        return time < 0.1
            ? smoothStep(time / 0.1) : 1 - smoothStep((time - 0.14) / 0.18)
    }
}

/// A slow motion to and fro: three sines whose frequencies do not fit together.
private struct Sway {
    private let sines: [(amplitude: Double, frequency: Double, phase: Double)]

    init(amplitude: Double, _ numbers: inout SeededNumbers) {
        let ranges = [(0.55, 0.06, 0.14), (0.3, 0.15, 0.3), (0.15, 0.35, 0.6)]
        sines = ranges.map { share, slow, fast in
            (amplitude * share, numbers.between(slow, fast), numbers.between(0, 2 * .pi))
        }
    }

    func value(at time: Double) -> Double {
        sines.reduce(0) { $0 + $1.amplitude * sin(2 * .pi * $1.frequency * time + $1.phase) }
    }
}

/// 0 below 0, 1 above 1, and smooth between.
func smoothStep(_ value: Double) -> Double {
    let x = min(1, max(0, value))
    return x * x * (3 - 2 * x)
}

/// 0 below 0, 1 above 1, and smooth between.
@inline(__always)
func smoothStep(_ value: Float) -> Float {
    let x = min(1, max(0, value))
    return x * x * (3 - 2 * x)
}
