import Curation
import Foundation
import Media
import Testing

/// Portraits of the set-up's pictures.
@Suite struct PortraitTests {
    private static let folder =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/.deps/portraits"

    private func portrait(_ name: String, _ rules: Rules = .portrait) throws -> Portrait {
        let picture = try VideoReader.firstPicture(path: Self.folder + "/" + name)
        return try Portrait(picture, rules: rules, clips: ClipSettings())
    }

    @Test func oneFaceIsCroppedAsInCuration() throws {
        let crop = try portrait("single_face.jpg").crop
        // The face's height is about 0.6 of the crop's side, and all of it inside the picture.
        #expect((100...400).contains(crop.side))
        #expect(crop.x >= 0 && crop.y >= 0)
    }

    @Test func whatIsNoPortraitIsRefusedByItsRule() throws {
        func rule(_ name: String, _ rules: Rules = .portrait) -> String? {
            do {
                _ = try portrait(name, rules)
                return nil
            } catch let refusal as Portrait.Refusal {
                #expect(refusal.description.contains("rule") || refusal.rule == "no-face")
                return refusal.rule
            } catch {
                return "\(error)"
            }
        }
        #expect(rule("multi_face.jpg") == "other_faces")
        #expect(rule("profile.jpg") == "rotation")
        #expect(rule("landscape.jpg") == "no-face")
        // The rules are the user's to move.
        var strict = Rules.portrait
        strict[.faceHeight].minimum = 4000
        #expect(rule("single_face.jpg", strict) == "face_height")
    }
}
