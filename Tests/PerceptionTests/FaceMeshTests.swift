import Foundation
import Media
import Perception
import Testing

@MainActor @Suite struct FaceMeshTests {
    /// The same points, within a few hundredths of the face's height.
    @Test(arguments: Reference.faces)
    func agreesWithMediaPipe(reference: Reference) throws {
        let frame = try picture(Place.sample(reference.file), at: reference.frame)
        let network = try Networks.mesh.get()
        let faces = try
            (Networks.near.get().detect(in: frame) + Networks.far.get().detect(in: frame))
            .map { try landmarks(network, in: frame, of: $0) }
        #expect(!reference.meshes.isEmpty)
        for mesh in reference.meshes {
            let points = mesh.map { Point($0[0], $0[1]) }
            let box = Box(around: points)
            let nearest = try #require(
                faces.max { $0.box.overlap(box) < $1.box.overlap(box) })
            let errors = zip(nearest.points, points).map { $0.distance(to: $1) / box.height }
            #expect(errors.reduce(0, +) / 68 < 0.03, "mean")
            #expect(errors.max()! < 0.09, "largest")  // 68 points
            #expect(nearest.presence > 0.9)
            #expect(nearest.confidences == [Float](repeating: Float(nearest.presence), count: 68))
        }
    }

    /// Where the points of the iBUG layout are on a face that looks into the camera.
    @Test func pointsStandWhereTheLayoutSays() throws {
        let frame = try picture(Place.sample("single_face.mp4"))
        let face = try landmarks(
            Networks.mesh.get(), in: frame, of: largest(Networks.near.get().detect(in: frame)))
        let points = face.points
        #expect(points.count == IBUG68.count)
        func mean(_ indices: some Sequence<Int>) -> Point {
            let chosen = indices.map { points[$0] }
            return Point(
                chosen.reduce(0) { $0 + $1.x } / Double(chosen.count),
                chosen.reduce(0) { $0 + $1.y } / Double(chosen.count))
        }
        let (leftEye, rightEye) = (mean(IBUG68.leftEye), mean(IBUG68.rightEye))
        let (leftBrow, rightBrow) = (mean(17..<22), mean(22..<27))
        let (nose, mouth) = (points[IBUG68.noseTip], mean(48..<60))
        #expect(leftEye.x < nose.x && nose.x < rightEye.x)
        #expect(leftBrow.y < leftEye.y && rightBrow.y < rightEye.y)
        #expect(leftEye.y < nose.y && nose.y < mouth.y && mouth.y < points[8].y)
        #expect(face.eyeDistance > 0.25 * face.box.height)
        // the jaw runs from the picture's left over the chin to its right
        for (a, b) in zip(points[0..<8], points[1..<9]) { #expect(a.y < b.y) }
        for (a, b) in zip(points[8..<16], points[9..<17]) { #expect(a.y > b.y) }
        #expect(points[4].x < points[8].x && points[8].x < points[12].x)
        // brows and the bridge of the nose run left to right, top to bottom
        for (a, b) in zip(points[17..<26], points[18..<27]) { #expect(a.x < b.x) }
        for (a, b) in zip(points[27..<30], points[28..<31]) { #expect(a.y < b.y) }
        for (a, b) in zip(points[31..<35], points[32..<36]) { #expect(a.x < b.x) }
        // upper lids are above lower ones, corners apart
        for eye in [36, 42] {
            #expect(points[eye].x < points[eye + 1].x && points[eye + 2].x < points[eye + 3].x)
            #expect(points[eye + 1].y < points[eye + 5].y)
            #expect(points[eye + 2].y < points[eye + 4].y)
        }
        // outer lips are around the inner ones
        #expect(points[48].x < points[60].x && points[64].x < points[54].x)
        #expect(points[51].y < points[62].y && points[66].y < points[57].y)
        #expect(points[62].y <= points[66].y)
    }

    /// Points that mirror each other are equally far from the middle line of a frontal face.
    @Test func aFrontalFaceIsSymmetric() throws {
        let frame = try picture(Place.sample("single_face.mp4"))
        let face = try landmarks(
            Networks.mesh.get(), in: frame, of: largest(Networks.near.get().detect(in: frame)))
        let pairs =
            (0..<8).map { ($0, 16 - $0) } + (17..<22).map { ($0, 43 - $0) }
            + [(36, 45), (39, 42), (37, 44), (31, 35), (48, 54), (50, 52), (60, 64), (59, 55)]
        let roll = face.pose.roll * .pi / 180
        // Along the line between the eyes, from the nose's bridge.
        func across(_ index: Int) -> Double {
            let (dx, dy) = (
                face.points[index].x - face.points[27].x,
                face.points[index].y - face.points[27].y
            )
            return dx * cos(roll) + dy * sin(roll)
        }
        for (left, right) in pairs {
            #expect(
                abs(across(left) + across(right)) < 0.15 * face.box.width, "\(left) and \(right)")
        }
    }

    @Test func mirroringNegatesYawAndRoll() throws {
        for (file, index) in [("carphone_pristine.mp4", 0), ("single_face.mp4", 0)] {
            let path = Place.sample(file)
            let plain = try pose(picture(path, at: index))
            let mirrored = try pose(picture(path, filter: "hflip"))
            #expect(abs(plain.yaw + mirrored.yaw) < 4, "\(plain) \(mirrored)")
            #expect(abs(plain.roll + mirrored.roll) < 2, "\(plain) \(mirrored)")
            #expect(abs(plain.pitch - mirrored.pitch) < 3, "\(plain) \(mirrored)")
        }
    }

    /// ffmpeg's `rotate` turns clockwise: the head's top leans to the picture's right.
    @Test(arguments: [-20.0, 20])
    func turningThePictureTurnsTheRoll(degrees: Double) throws {
        let path = Place.sample("single_face.mp4")
        let plain = try pose(picture(path))
        let turned = try pose(picture(path, filter: "rotate=\(degrees)*PI/180"))
        #expect(abs(turned.roll - plain.roll - degrees) < 2.5)
        #expect(abs(turned.yaw - plain.yaw) < 5)
        #expect(abs(turned.pitch - plain.pitch) < 5)
    }

    private func pose(_ frame: VideoFrame) throws -> HeadPose {
        let face = try largest(Networks.near.get().detect(in: frame))
        return try landmarks(Networks.mesh.get(), in: frame, of: face).pose
    }

    /// A man who shouts, and leans his head ever more to the picture's left.
    @Test func aRealHeadLeansAndShouts() throws {
        let network = try Networks.mesh.get()
        let faces = try [0, 50, 83].map { index in
            let frame = try picture(Place.sample("carphone_pristine.mp4"), at: index)
            return try landmarks(
                network, in: frame, of: largest(Networks.near.get().detect(in: frame)))
        }
        #expect((-15..<0).contains(faces[0].pose.roll))
        #expect((-35..<(-18)).contains(faces[2].pose.roll))
        #expect(faces[1].mouthOpening > 3 * faces[0].mouthOpening)
        #expect(faces[1].mouthOpening > 0.4)
    }

    /// A woman who is seen from the side, and looks to the picture's right.
    @Test(.enabled(if: Place.exists(Place.clip("profile_listener.mp4")), "that clip is not here"))
    func aProfileIsTurnedFar() throws {
        let frame = try picture(Place.clip("profile_listener.mp4"), at: 50)
        let faces = try Networks.near.get().detect(in: frame) + Networks.far.get().detect(in: frame)
        let face = try landmarks(Networks.mesh.get(), in: frame, of: largest(faces))
        #expect(face.pose.yaw > 30)
    }

    @Test func aPlaceWithoutAFaceHasNoPresence() throws {
        let frame = try picture(Place.sample("small.mp4"))
        let region = FaceRegion(centre: Point(280, 160), side: 150, angle: 0)
        #expect(try Networks.mesh.get().landmarks(in: frame, region: region).presence < 0.5)
    }

    @Test func blurTakesSharpnessAndLightTakesBrightness() throws {
        let path = Place.sample("single_face.mp4")
        func look(_ filter: String) throws -> FaceLandmarks {
            let frame = try picture(path, filter: filter)
            let face = try largest(Networks.near.get().detect(in: frame))
            return try landmarks(Networks.mesh.get(), in: frame, of: face)
        }
        let plain = try look("null")
        let blurred = try look("gblur=sigma=4")
        let dark = try look("lutyuv=y=16+(val-16)/2")
        #expect(blurred.sharpness < 0.5 * plain.sharpness)
        #expect(abs(blurred.brightness - plain.brightness) < 0.03)
        #expect(abs(dark.brightness - plain.brightness / 2) < 0.05)
    }
}
