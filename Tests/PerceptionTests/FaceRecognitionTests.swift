import Foundation
import Media
import Perception
import Testing

@MainActor @Suite struct FaceRecognitionTests {
    /// What `Scripts/setup.sh faces` makes; the tests that need it say so where it is not there.
    private nonisolated static let network =
        Place.package + "/Models/dlib-face/dlib_face_recognition_resnet_model_v1.onnx"

    @Test(.enabled(if: Place.exists(network), "Scripts/setup.sh faces makes the network"))
    func theConvertedNetworkAgreesWithDlib() throws {
        let network = try Network(path: Self.network)
        for channel in 0..<3 {
            for y in 0..<150 {
                for x in 0..<150 {
                    let value = (7 * x + 13 * y + 29 * channel + x * y / 16) % 256
                    network.inputs[0][(channel * 150 + y) * 150 + x] = Float(value)
                }
            }
        }
        try network.run()
        let json = try Data(contentsOf: URL(fileURLWithPath: Place.fixtures + "dlib_face.json"))
        let expected = try JSONDecoder().decode([Float].self, from: json)
        let found = try network.withOutput(0) { Array($0) }
        #expect(found.count == 128)
        for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-4) }
    }

    /// One person's face in two pictures of a film, and a man's in another film.
    @Test(.enabled(if: Place.exists(network), "Scripts/setup.sh faces makes the network"))
    func facesOfOnePersonAreNear() throws {
        let recognition = try FaceRecognition(path: Self.network)
        func embedding(_ file: String, at index: Int) throws -> [Float] {
            let frame = try picture(Place.sample(file), at: index)
            let faces = try Networks.near.get().detect(in: frame)
            let face = try #require(faces.max { $0.box.area < $1.box.area })
            let points = try landmarks(Networks.mesh.get(), in: frame, of: face).points
            return try #require(try recognition.embedding(of: points, in: frame))
        }
        func cosine(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map(*).reduce(0, +) }
        let first = try embedding("WolfgangLanger_Pexels.mp4", at: 0)
        let later = try embedding("WolfgangLanger_Pexels.mp4", at: 60)
        let other = try embedding("obama_speech.mp4", at: 60)
        #expect(abs(cosine(first, first) - 1) < 1e-4)
        #expect(cosine(first, later) > 0.93)
        #expect(cosine(first, other) < 0.9)
    }
}

@Suite struct AlignmentTests {
    /// InsightFace's `norm_crop`: least squares of the distances in the face that is cut out.
    @Test func arcFacesPointsAreAsNearAsTheyCanBe() throws {
        let alignment = Alignment.arcFace
        // A face that is turned, of which no similarity makes the five points.
        var face = [Point](repeating: Point(0, 0), count: 68)
        for (indices, position) in alignment.points {
            for index in indices { face[index] = Point(40 + 1.1 * position.x, 70 + 2 * position.y) }
        }
        let found = try #require(alignment.map(face))
        /// The distances for a face that is larger by a factor, about the points' mean.
        func distance(_ factor: Double) -> Double {
            let places = alignment.points.map { indices, position -> (Point, Point) in
                let point = face[indices.lowerBound]
                let (u, v) = (point.x - found.x0, point.y - found.y0)
                let size = found.xx * found.xx + found.yx * found.yx
                return (
                    Point(
                        (found.xx * u + found.yx * v) / size, (found.xx * v - found.yx * u) / size),
                    Point(position.x + 0.5, position.y + 0.5)
                )
            }
            let mean = Point(
                places.reduce(0) { $0 + $1.0.x } / 5, places.reduce(0) { $0 + $1.0.y } / 5)
            return places.reduce(0) { sum, place in
                let (x, y) = (
                    mean.x + factor * (place.0.x - mean.x) - place.1.x,
                    mean.y + factor * (place.0.y - mean.y) - place.1.y
                )
                return sum + x * x + y * y
            }
        }
        #expect(distance(1) < distance(0.99) && distance(1) < distance(1.01))
    }
}

@Suite struct FaceHashTests {
    private func hash(_ filter: String, face: Box) throws -> FaceHash {
        FaceHash(face, in: try picture(Place.sample("obama_speech.mp4"), filter: filter))
    }

    /// The face, as a box of the 320x240 picture.
    private let face = Box(left: 190, top: 60, right: 250, bottom: 130)

    @Test func sizeAndMirrorsDoNotMatter() throws {
        let whole = try hash("null", face: face)
        let large = try hash(
            "scale=640:480", face: Box(left: 380, top: 120, right: 500, bottom: 260))
        #expect(whole.distance(to: large) <= 4)
        let mirrored = try hash(
            "hflip", face: Box(left: 320 - 250, top: 60, right: 320 - 190, bottom: 130))
        #expect(whole.distance(to: mirrored) > 16)
        #expect(whole.mirrored.distance(to: mirrored) <= 3)
        let other = try hash("null", face: Box(left: 40, top: 60, right: 100, bottom: 130))
        #expect(whole.distance(to: other) > 12)
    }
}
