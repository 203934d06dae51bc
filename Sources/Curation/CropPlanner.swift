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

        // Even numbers: chroma has half the resolution.
        var side = min(CropPlanner.even(wanted), Int(shorter) / 2 * 2)
        if needed > shorter {
            guard settings.outside == .pad else { return .doesNotFit(needed / shorter) }
            side = CropPlanner.even(wanted)
        }
        side = max(2, side)
        func origin(_ centre: Double, _ length: Int) -> Int {
            let start = Int(((centre - Double(side) / 2) / 2).rounded()) * 2
            return side <= length ? min(max(start, 0), (length - side) / 2 * 2) : start
        }
        return .crop(
            CropSquare(
                x: origin(visible.centre.x, width), y: origin(visible.centre.y, height),
                side: side))
    }

    /// The next even number; less than a thousandth of a pixel is rounding.
    private static func even(_ length: Double) -> Int { Int((length / 2 - 5e-4).rounded(.up)) * 2 }
}
