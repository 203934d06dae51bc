import Dataset
import Foundation
import Media
import Perception

/// Chooses the one square that a clip is cut out with.
package struct CropPlanner {
    let settings: ClipSettings
    let width: Int
    let height: Int

    /// - Parameter width: of the upright picture, as `height`.
    package init(settings: ClipSettings, width: Int, height: Int) {
        self.settings = settings
        self.width = width
        self.height = height
    }

    /// What the planner decided: a crop, or how much too large the head's way is.
    package enum Plan: Equatable {
        case crop(CropSquare)
        /// The square that the head needs, over the picture's shorter side.
        case doesNotFit(Double)
    }

    /// - Parameters:
    ///   - head: around the head in all frames of the clip.
    ///   - faceHeight: mean height of the face, in pixels.
    package func plan(head: Box, faceHeight: Double) -> Plan {
        let picture = Box(left: 0, top: 0, right: Double(width), bottom: Double(height))
        let shorter = Double(min(width, height))
        // What of the head is outside the picture is the `completeness` rule's to judge.
        let visible = head.intersection(picture)
        let needed = max(visible.width, visible.height)
        let wanted = max(needed * (1 + 2 * settings.margin), faceHeight / settings.faceShare)

        var side = min(wanted, shorter)
        if needed > shorter {
            guard settings.outside == .pad else { return .doesNotFit(needed / shorter) }
            side = wanted
        }
        // Even numbers: chroma has half the resolution.
        let evenSide = max(2, Int(side / 2) * 2)
        func origin(_ centre: Double, _ low: Double, _ high: Double, _ length: Int) -> Int {
            var start = centre - Double(evenSide) / 2
            if evenSide <= length {
                start = min(max(start, 0), Double(length - evenSide))
                // Rounding must not cut the head at the far side.
                if high - start > Double(evenSide) { start = high - Double(evenSide) }
            }
            return Int((start / 2).rounded()) * 2
        }
        let x = origin(visible.centre.x, visible.left, visible.right, width)
        let y = origin(visible.centre.y, visible.top, visible.bottom, height)
        return .crop(
            CropSquare(
                x: evenSide <= width ? max(0, min(x, width - evenSide)) : x,
                y: evenSide <= height ? max(0, min(y, height - evenSide)) : y, side: evenSide))
    }
}
