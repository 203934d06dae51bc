import Dataset
import Media
import Perception

/// What is heard at each frame of a stretch.
package struct StretchSound {
    var isSpeech: [Bool]
    var isAudible: [Bool]

    package init(isSpeech: [Bool], isAudible: [Bool]) {
        self.isSpeech = isSpeech
        self.isAudible = isAudible
    }
}

/// Computes a candidate's metrics from its track; each is documented in `Metric`.
package struct TrackMetrics {
    let track: TrackRecorder
    /// First frame of the stretch: where the sound begins.
    let stretchStart: Int
    let sound: StretchSound?
    private let rate = Double(Grid.framesPerSecond)
    /// Displacements are taken over a fifth of a second: over one picture they are mostly noise.
    private static let step = 5
    private static let rotationLimit = 30.0

    package init(track: TrackRecorder, stretchStart: Int, sound: StretchSound?) {
        self.track = track
        self.stretchStart = stretchStart
        self.sound = sound
    }

    package func metrics(framesPerSecond: Double? = nil) -> Metrics {
        var metrics = Metrics()
        let seen = (0..<track.count).filter { track[$0, .presence] > 0 }
        metrics[.duration] = Double(track.count) / rate
        metrics[.frameRate] = framesPerSecond
        metrics[.resolution] = Double(min(track.width, track.height))
        metrics[.damaged] = Double(track.damaged) / Double(max(1, track.count))
        metrics[.presence] = mean((0..<track.count).map { track[$0, .presence] })
        metrics[.presenceMinimum] = (0..<track.count).map { track[$0, .presence] }.min()
        guard !seen.isEmpty else { return metrics }

        let widths = seen.map { track[$0, .faceRight] - track[$0, .faceLeft] }
        let heights = seen.map { track[$0, .faceBottom] - track[$0, .faceTop] }
        metrics[.faceWidth] = mean(widths)
        metrics[.faceHeight] = mean(heights)
        metrics[.sharpness] = mean(seen.map { track[$0, .sharpness] })
        metrics[.brightness] = mean(seen.map { track[$0, .brightness] })
        measureFraming(seen, into: &metrics)
        measurePose(seen, into: &metrics)
        measureMovement(faceHeight: mean(heights) ?? 1, into: &metrics)
        measureSound(into: &metrics)
        return metrics
    }

    private func measureFraming(_ seen: [Int], into metrics: inout Metrics) {
        let picture = Box(
            left: 0, top: 0, right: Double(track.width), bottom: Double(track.height))
        var shares: [Double] = []
        var margin = Double.infinity
        for frame in seen {
            let head = Box(
                left: track[frame, .headLeft], top: track[frame, .headTop],
                right: track[frame, .headRight], bottom: track[frame, .headBottom])
            shares.append(head.area > 0 ? head.intersection(picture).area / head.area : 0)
            let edge = min(
                head.left, head.top, picture.right - head.right, picture.bottom - head.bottom)
            let height = track[frame, .faceBottom] - track[frame, .faceTop]
            margin = min(margin, edge / max(height, 1))
        }
        metrics[.completeness] = mean(shares)
        metrics[.completenessMinimum] = shares.min()
        metrics[.margin] = margin
    }

    private func measurePose(_ seen: [Int], into metrics: inout Metrics) {
        let poses = seen.map {
            HeadPose(yaw: track[$0, .yaw], pitch: track[$0, .pitch], roll: track[$0, .roll])
        }
        metrics[.yawMinimum] = poses.map(\.yaw).min()
        metrics[.yawMaximum] = poses.map(\.yaw).max()
        metrics[.pitchMinimum] = poses.map(\.pitch).min()
        metrics[.pitchMaximum] = poses.map(\.pitch).max()
        metrics[.rollMinimum] = poses.map(\.roll).min()
        metrics[.rollMaximum] = poses.map(\.roll).max()
        let beyond = poses.count { $0.greatestAngle > Self.rotationLimit }
        metrics[.rotation] = Double(beyond) / Double(poses.count)
        let changes = zip(poses, poses.dropFirst(Self.step)).map { a, b in
            let (yaw, pitch, roll) = (b.yaw - a.yaw, b.pitch - a.pitch, b.roll - a.roll)
            return (yaw * yaw + pitch * pitch + roll * roll).squareRoot()
        }
        metrics[.rotationSpeed] = mean(changes).map { $0 * rate / Double(Self.step) }
    }

    private func measureMovement(faceHeight: Double, into metrics: inout Metrics) {
        let centres = (0..<track.count).map(track.centre)
        func speeds(over frames: Int) -> [Double] {
            zip(centres, centres.dropFirst(frames)).map {
                $0.distance(to: $1) / faceHeight * rate / Double(frames)
            }
        }
        let usual = speeds(over: Self.step)
        metrics[.movement] = mean(usual)
        if let average = mean(usual) {
            metrics[.movementVariance] = mean(usual.map { ($0 - average) * ($0 - average) })
        }
        metrics[.movementMaximum] = speeds(over: Grid.framesPerSecond / 2).max()
    }

    private func measureSound(into metrics: inout Metrics) {
        guard let sound else {
            metrics[.sound] = 0
            metrics[.speech] = 0
            return
        }
        var speech = 0, audible = 0
        var opening = (speech: 0.0, silence: 0.0)
        // A median of three takes out single wrong pictures, and keeps syllables.
        let mouth = (0..<track.count).map { track[$0, .mouthOpening] }
        let smooth = mouth.indices.map { index in
            index == 0 || index == mouth.count - 1
                ? mouth[index]
                : max(
                    min(mouth[index - 1], mouth[index]),
                    min(max(mouth[index - 1], mouth[index]), mouth[index + 1]))
        }
        for frame in 0..<track.count {
            let place = track.start - stretchStart + frame
            guard place < sound.isSpeech.count else { break }
            if sound.isAudible[place] { audible += 1 }
            let change = frame > 0 ? abs(smooth[frame] - smooth[frame - 1]) : 0
            if sound.isSpeech[place] {
                speech += 1
                opening.speech += change
            } else {
                opening.silence += change
            }
        }
        let silence = track.count - speech
        metrics[.sound] = Double(audible) / Double(track.count)
        metrics[.speech] = Double(speech) / Double(track.count)
        metrics[.mouthInSpeech] = speech > 0 ? opening.speech * rate / Double(speech) : nil
        metrics[.mouthInSilence] = silence > 0 ? opening.silence * rate / Double(silence) : nil
    }

    private func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
