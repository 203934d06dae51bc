import Foundation
import Media

/// A point of the upright picture, in pixels.
public struct Point: Sendable, Equatable {
    public var x: Double
    public var y: Double

    public init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }

    public func distance(to other: Point) -> Double {
        ((x - other.x) * (x - other.x) + (y - other.y) * (y - other.y)).squareRoot()
    }
}

/// An upright rectangle, in pixels of the upright picture.
public struct Box: Sendable, Equatable {
    public var left: Double
    public var top: Double
    public var right: Double
    public var bottom: Double

    public init(left: Double, top: Double, right: Double, bottom: Double) {
        (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    /// The smallest box around some points.
    public init(around points: some Sequence<Point>) {
        self.init(
            left: .infinity, top: .infinity, right: -.infinity, bottom: -.infinity)
        for point in points {
            left = min(left, point.x)
            right = max(right, point.x)
            top = min(top, point.y)
            bottom = max(bottom, point.y)
        }
    }

    public var width: Double { right - left }
    public var height: Double { bottom - top }
    public var area: Double { max(0, width) * max(0, height) }
    public var centre: Point { Point((left + right) / 2, (top + bottom) / 2) }

    public func intersection(_ other: Box) -> Box {
        Box(
            left: max(left, other.left), top: max(top, other.top),
            right: min(right, other.right), bottom: min(bottom, other.bottom))
    }

    public func union(_ other: Box) -> Box {
        Box(
            left: min(left, other.left), top: min(top, other.top),
            right: max(right, other.right), bottom: max(bottom, other.bottom))
    }

    /// The intersection over the union, 0...1.
    public func overlap(_ other: Box) -> Double {
        let common = intersection(other)
        guard common.width > 0, common.height > 0 else { return 0 }
        return common.area / (area + other.area - common.area)
    }
}

/// A turned square of the upright picture: what a landmark network looks at.
public struct FaceRegion: Sendable, Equatable {
    public var centre: Point
    public var side: Double
    /// The angle by which the face's top leans to the picture's right, in radians.
    public var angle: Double

    public init(centre: Point, side: Double, angle: Double) {
        self.centre = centre
        self.side = side
        self.angle = angle
    }

    /// The square around a box, made `scale` times larger.
    public init(around box: Box, angle: Double, scale: Double) {
        self.init(centre: box.centre, side: max(box.width, box.height) * scale, angle: angle)
    }

    /// The map from a `size`-pixel square to the picture.
    public func map(size: Int) -> Affine {
        let scale = side / Double(size)
        let cosine = Foundation.cos(angle) * scale, sine = Foundation.sin(angle) * scale
        let half = Double(size) / 2
        return Affine(
            xx: cosine, xy: -sine, x0: centre.x - half * (cosine - sine),
            yx: sine, yy: cosine, y0: centre.y - half * (sine + cosine))
    }
}
