/// Draws a portrait's head as it is in one frame.
struct HeadRenderer {
    let face: PortraitFace
    let mouth: MouthWarp
    private let eyes: [EyeWarp]
    private let head: HeadWarp

    init(_ face: PortraitFace) {
        self.face = face
        mouth = MouthWarp(face)
        eyes = EyeWarp.eyes(of: face)
        head = HeadWarp(face)
    }

    /// The point between the eyes, in pixels.
    func betweenEyes(_ state: HeadState) -> SIMD2<Float> {
        head.position(of: face.betweenEyes, state)
    }

    /// Draws one frame into a square of a picture.
    ///
    /// - Parameters:
    ///   - canvas: 8-bit RGB, `[size, width, 3]`.
    ///   - width: the picture's width.
    ///   - left: the square's first column.
    ///   - look: whether the square is mirrored, and what colours the head is tinted with.
    func draw(
        _ state: HeadState, opening: Double, spread: Double, into canvas: inout [UInt8],
        width: Int, left: Int, look: Look = Look()
    ) {
        let map = head.map(state)
        let shape = mouth.shape(opening: opening, spread: spread)
        let blink = Float(state.blink)
        let size = face.size
        face.picture.withSampler { sampler in
            canvas.withUnsafeMutableBufferPointer { canvas in
                for row in 0..<size {
                    let line = row * width + left
                    map.forEachPixel(ofRow: row, size: size) { column, seen in
                        let lips = shape.source(of: seen, sampler)
                        var point = lips.point
                        if blink > 0 {
                            for eye in eyes { point = eye.source(of: point, blink: blink) }
                        }
                        var colour = sampler.colour(at: point)
                        colour += (lips.colour - colour) * lips.inside
                        if let tint = look.tint { colour *= 1 + (tint - 1) * head.share(at: seen) }
                        let at = (line + (look.isMirrored ? size - 1 - column : column)) * 3
                        let levels = (colour + 0.5).clamped(
                            lowerBound: .zero, upperBound: SIMD4(repeating: 255))
                        canvas[at] = UInt8(levels.x)
                        canvas[at + 1] = UInt8(levels.y)
                        canvas[at + 2] = UInt8(levels.z)
                    }
                }
            }
        }
    }

    /// How a second head differs from the portrait.
    struct Look {
        var isMirrored = false
        var tint: SIMD4<Float>?
    }
}
