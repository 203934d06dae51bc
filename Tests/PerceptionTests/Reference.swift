import Foundation
import Perception
import Testing

/// What MediaPipe's own implementation sees in one picture: Fixtures/make_fixtures.py.
struct Reference: Decodable, Sendable, CustomTestStringConvertible {
    struct Detection: Decodable, Sendable {
        let corners: [Double]
        let eyes: [Double]
        let score: Double

        var box: Box {
            Box(left: corners[0], top: corners[1], right: corners[2], bottom: corners[3])
        }
        /// The person's right eye comes first: on the picture's left.
        var leftEye: Point { Point(eyes[0], eyes[1]) }
        var rightEye: Point { Point(eyes[2], eyes[3]) }

        enum CodingKeys: String, CodingKey {
            case eyes, score
            case corners = "box"
        }
    }

    let file: String
    /// On the 25 fps grid.
    let frame: Int
    let near: [Detection]
    let far: [Detection]
    /// The 68 points of each face.
    let meshes: [[[Double]]]

    var testDescription: String { "\(file), picture \(frame)" }

    static let faces: [Reference] = load("faces.json")

    static func load<Value: Decodable>(_ name: String) -> Value {
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: Place.fixtures + name))
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            fatalError("\(Place.fixtures)\(name): \(error)")
        }
    }
}
