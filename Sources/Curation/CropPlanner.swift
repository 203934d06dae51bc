import Foundation
import Media
import Perception

/// Chooses the one square that a clip is cut out with.
package struct CropPlanner {
    let settings: ClipSettings
    let picture: Box

    /// - Parameters:
    ///   - width: of the upright picture, as `height`.
    package init(settings: ClipSettings, width: Int, height: Int) {
        self.settings = settings
        picture = Box(left: 0, top: 0, right: Double(width), bottom: Double(height))
    }

    package struct Plan: Equatable, Sendable {
        package let square: CropSquare
        /// The room that the square leaves around the head on each side, over the head's size; below 0 where it
        /// cuts off that much.
        package let margin: Double
        /// The share of the head that every picture of the clip shows at least, of what the source shows:
        /// `Rules.leastHeadShare` says how much is enough.
        package let headShare: Double
    }

    /// Plans the square. Where the picture leaves little room, the margin gives way first; then hair does:
    /// many public datasets hold portraits cut to the head.
    ///
    /// - Parameters:
    ///   - heads: the head in each frame of the clip.
    ///   - faceHeight: the mean height of the face, in pixels.
    package func plan(heads: [Box], faceHeight: Double) -> Plan {
        // The `completeness` rule judges what of the head is outside the picture.
        let visible = heads.map { $0.intersection(picture) }
        let way = visible.dropFirst().reduce(visible[0]) { $0.union($1) }
        let needed = max(way.width, way.height)
        let wanted = max(needed * (1 + 2 * settings.margin), faceHeight / settings.faceShare)

        let shorter = min(picture.width, picture.height)
        let fits = needed <= shorter
        let mayReachOutside = !fits && settings.outside == .pad
        let side = max(
            2, mayReachOutside ? Self.even(wanted) : min(Self.even(wanted), Int(shorter) / 2 * 2))
        let crop = CropSquare(
            x: Self.origin(way.centre.x, side, in: picture.width),
            y: mayReachOutside || way.height <= shorter
                ? Self.origin(way.centre.y, side, in: picture.height)
                // What does not fit is cut off above: hair, not the chin.
                : Self.origin(way.bottom - Double(side) / 2, side, in: picture.height),
            side: side)
        let shares = visible.map { $0.area > 0 ? $0.share(inside: crop.box) : 1 }
        return Plan(
            square: crop, margin: (Double(side) / max(needed, 1) - 1) / 2,
            // Even numbers may cost two pixels of a head that fits.
            headShare: fits || mayReachOutside ? 1 : shares.min() ?? 1)
    }

    /// Where a square begins whose centre is wanted there: inside the picture where it is small enough.
    private static func origin(_ centre: Double, _ side: Int, in length: Double) -> Int {
        let start = Int(((centre - Double(side) / 2) / 2).rounded()) * 2
        return Double(side) <= length ? min(max(start, 0), (Int(length) - side) / 2 * 2) : start
    }

    /// The next even number, because chroma has half the resolution; less than a thousandth of a pixel is
    /// rounding.
    private static func even(_ length: Double) -> Int { Int((length / 2 - 5e-4).rounded(.up)) * 2 }
}

extension Rules {
    /// The share of a head that a crop must hold: what is enough in the source is enough in the crop.
    var leastHeadShare: Double { self[.completeness].minimum ?? 1 }
}

extension CropSquare {
    var box: Box {
        Box(left: Double(x), top: Double(y), right: Double(x + side), bottom: Double(y + side))
    }
}
