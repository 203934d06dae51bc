import Foundation
import Perception
import Runs

/// Changes pieces as the world does: other faces, worse trackers, slower cameras; other voices, rooms and
/// microphones. What belongs together still does.
package enum SyncAugmentation {
    /// How much a value of the lips is gained, as a standard deviation of its logarithm.
    private static let gain = 0.3
    /// The greatest noise of the lips, in the standard deviations of one who speaks.
    private static let noise = 1.5

    // MARK: Time

    /// A piece of a clip, from anywhere in it, half the time a little faster or slower.
    package static func piece(
        of clip: SyncClip, frames: Int, _ numbers: inout SeededNumbers
    ) -> SyncPiece {
        let speed = numbers.unit() < 0.5 ? exp(0.12 * numbers.normal()) : 1
        let room = Double(clip.lips.count) - Double(frames) * speed
        let start = room > 0 ? numbers.between(0, room) : numbers.between(room, 0)
        let reach = MouthSyncNetwork.reach
        let steps = MouthSyncNetwork.spectraPerFrame, bands = MouthSyncNetwork.bands
        let lips = (0..<frames).map { frame -> LipShape? in
            let time = start + Double(frame) * speed
            let before = Int(time.rounded(.down))
            guard before >= 0, before + 1 < clip.lips.count, let a = clip.lips[before],
                let b = clip.lips[before + 1]
            else { return nil }
            return a.mixed(with: b, share: Float(time - Double(before)))
        }
        // A spectrum is centred on its step; a shape is the middle of its frame's four.
        let spectra = (-reach..<frames + reach).map { frame -> [Float]? in
            var row: [Float] = []
            row.reserveCapacity(steps * bands)
            for step in 0..<steps {
                let within = (Double(step) + 0.5) / Double(steps) - 0.5
                let time = (start + 0.5 + (Double(frame) + within) * speed) * Double(steps) - 0.5
                let before = Int(time.rounded(.down))
                guard before >= 0, before + 1 < clip.spectra.count * steps else { return nil }
                let share = Float(time - Double(before))
                let (a, b) = (before, before + 1)
                let first = clip.spectra[a / steps], second = clip.spectra[b / steps]
                for band in 0..<bands {
                    let from = first[a % steps * bands + band],
                        to = second[b % steps * bands + band]
                    row.append(from + (to - from) * share)
                }
            }
            return row
        }
        return SyncPiece(lips: lips, spectra: spectra)
    }

    /// Changes a piece.
    package static func change(_ piece: inout SyncPiece, _ numbers: inout SeededNumbers) {
        changeLips(&piece.lips, &numbers)
        changeSound(&piece.spectra, &numbers)
    }

    // MARK: Lips

    private static func changeLips(_ lips: inout [LipShape?], _ numbers: inout SeededNumbers) {
        let count = LipShape.count
        let mean = lips.compactMap(\.?.values).reduce([Float](repeating: 0, count: count)) {
            zip($0, $1).map { $0 + $1 }
        }.map { $0 / Float(max(1, lips.count { $0 != nil })) }
        let common = exp(0.25 * numbers.normal())
        let gains = (0..<count).map { _ in Float(common * exp(gain * numbers.normal())) }
        let isMirrored = numbers.unit() < 0.5
        let level = noise * numbers.unit()
        let memory = numbers.between(0.8, 0.98)
        let fresh = (1 - memory * memory).squareRoot()
        var slow = (0..<count).map { _ in numbers.normal() }
        let spoilt = numbers.unit() < 0.2 ? numbers.below(lips.count) : -1
        for frame in lips.indices {
            for index in 0..<count { slow[index] = memory * slow[index] + fresh * numbers.normal() }
            guard var values = lips[frame]?.values else { continue }
            if isMirrored { values.swapAt(1, 2) }
            for index in 0..<count {
                let wrong =
                    level * (slow[index] + 0.5 * numbers.normal())
                    + (frame == spoilt ? 2 * numbers.normal() : 0)
                values[index] =
                    (values[index] - mean[index]) * gains[index]
                    + Float(wrong) * LipShape.deviations[index]
            }
            lips[frame] = LipShape(values: values)
        }
        if numbers.unit() < 0.3 { slowDown(&lips, to: numbers.between(10, 24), &numbers) }
    }

    /// What a camera of fewer pictures a second sees: each is shown at the nearest frame.
    private static func slowDown(
        _ lips: inout [LipShape?], to rate: Double, _ numbers: inout SeededNumbers
    ) {
        var kept = [LipShape?](repeating: nil, count: lips.count)
        var time = numbers.unit() * 25 / rate
        while Int(time.rounded()) < lips.count {
            let before = Int(time.rounded(.down))
            if let a = lips[before], let b = lips[min(before + 1, lips.count - 1)] {
                kept[Int(time.rounded())] = a.mixed(with: b, share: Float(time - Double(before)))
            }
            time += 25 / rate
        }
        lips = MouthSyncInput.filled(kept)
    }

    // MARK: Sound

    private static func changeSound(_ frames: inout [[Float]?], _ numbers: inout SeededNumbers) {
        let bands = MouthSyncNetwork.bands
        // one row of 80 values a spectrum
        let heard = frames.indices.filter { frames[$0] != nil }
        var rows = heard.flatMap { frame -> [[Float]] in
            let values = frames[frame] ?? []
            return stride(from: 0, to: values.count, by: bands).map {
                Array(values[$0..<($0 + bands)])
            }
        }
        guard !rows.isEmpty else { return }
        if numbers.unit() < 0.7 { shiftFormants(&rows, by: exp(0.1 * numbers.normal())) }
        if numbers.unit() < 0.8 { colour(&rows, &numbers) }
        if numbers.unit() < 0.3 { reverberate(&rows, decay: numbers.between(3, 20)) }
        if numbers.unit() < 0.5 { addNoise(&rows, &numbers) }
        if numbers.unit() < 0.2 { cutOff(&rows, above: 32 + numbers.below(40)) }
        let steps = MouthSyncNetwork.spectraPerFrame
        for (index, frame) in heard.enumerated() {
            frames[frame] = Array(rows[index * steps..<(index + 1) * steps].joined())
        }
    }

    /// A longer or shorter vocal tract (VTLP, Jaitly and Hinton 2013).
    private static func shiftFormants(_ rows: inout [[Float]], by factor: Double) {
        let last = MouthSyncNetwork.bands - 1
        let sources = (0...last).map { min(Double(last), Double($0) * factor) }
        for index in rows.indices {
            let row = rows[index]
            rows[index] = sources.map { at in
                let before = Int(at)
                let share = Float(at - Double(before))
                return row[before] * (1 - share) + row[min(before + 1, last)] * share
            }
        }
    }

    /// A microphone's and a room's colour: a random walk over the bands.
    private static func colour(_ rows: inout [[Float]], _ numbers: inout SeededNumbers) {
        let gains = walk(0.2, &numbers)
        for index in rows.indices { for band in gains.indices { rows[index][band] += gains[band] } }
    }

    private static func walk(_ step: Double, _ numbers: inout SeededNumbers) -> [Float] {
        var level = 0.0
        return (0..<MouthSyncNetwork.bands).map { _ in
            level += step * numbers.normal()
            return Float(level)
        }
    }

    /// Sound that stays in the room for a while.
    ///
    /// - Parameter decay: the steps of 10 ms in which its power falls to 1/e.
    private static func reverberate(_ rows: inout [[Float]], decay: Double) {
        let kept = Float(exp(-1 / decay))
        var power = [Float](repeating: 0, count: MouthSyncNetwork.bands)
        for index in rows.indices {
            for band in power.indices {
                power[band] = power[band] * kept + exp(rows[index][band])
                rows[index][band] = log(power[band] * (1 - kept) + 1e-9)
            }
        }
    }

    /// Noise of 3 to 9 nepers of power below the loudest band of loud speech.
    private static func addNoise(_ rows: inout [[Float]], _ numbers: inout SeededNumbers) {
        let loudest = rows.map { $0.max() ?? 0 }.sorted()
        let level = loudest[loudest.count * 3 / 4] - Float(numbers.between(3, 9))
        let gains = walk(0.14, &numbers)
        for index in rows.indices {
            for band in gains.indices {
                // the power of a noise in a band is exponentially distributed
                let flicker = Float(0.6 * log(-log(1 - numbers.unit() * 0.999999) + 1e-3))
                let noise = level + gains[band] + flicker
                let (high, low) = (max(rows[index][band], noise), min(rows[index][band], noise))
                rows[index][band] = high + log(1 + exp(low - high))
            }
        }
    }

    /// A telephone, or a codec of few bits.
    private static func cutOff(_ rows: inout [[Float]], above band: Int) {
        let floor = rows.joined().min() ?? 0
        for index in rows.indices {
            for above in band..<MouthSyncNetwork.bands { rows[index][above] = floor }
        }
    }
}
