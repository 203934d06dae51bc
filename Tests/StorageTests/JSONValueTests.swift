import Foundation
import Storage
import Testing

@Suite struct JSONValueTests {
    private struct Everything: Codable, Equatable {
        var whole = 3.0
        var part = 0.1
        var large = 3e20
        var single: Float = 0.1
        var count = 3
        var seed = UInt64.max
        var flag = true
        var text = "a\"\\\n\u{1}ü/"
        var missing: Int?
        var list = [1.0, 2.5]
        var nested = ["b": [1], "a": []]
        var pairs: [[String: Double]] = [["x": 0]]
    }

    @Test func numbersThatCanHaveAFractionHaveOne() throws {
        let text = String(decoding: try JSONValue(encoding: Everything()).line, as: UTF8.self)
        #expect(
            text
                == #"{"count":3,"flag":true,"large":3e+20,"list":[1.0,2.5],"nested":{"a":[],"b":[1]},"#
                + #""pairs":[{"x":0.0}],"part":0.1,"seed":18446744073709551615,"single":0.1,"#
                + #""text":"a\"\\\n\u0001ü/","whole":3.0}"#)
    }

    @Test func foundationReadsWhatWasWritten() throws {
        for bytes in try [
            JSONValue(encoding: Everything()).line, JSONValue(encoding: Everything()).document,
        ] {
            #expect(try JSONDecoder().decode(Everything.self, from: Data(bytes)) == Everything())
        }
    }

    @Test func documentsHaveAMemberALine() throws {
        let value = JSONValue.object(["b": .array([.integer(1), .null]), "a": .object([:])])
        #expect(
            String(decoding: value.document, as: UTF8.self) == """
                {
                  "a": {},
                  "b": [
                    1,
                    null
                  ]
                }
                """)
    }

    @Test func numbersThatAreNotFiniteAreRefused() {
        for value in [Double.nan, .infinity, -.infinity] {
            #expect(throws: EncodingError.self) { try JSONValue(encoding: [value]) }
        }
    }

    @Test func updatesMembersAllTheWayDown() {
        let defaults = JSONValue.object([
            "a": .integer(1), "b": .object(["c": .integer(2), "d": .integer(3)]),
        ])
        let stored = JSONValue.object(["b": .object(["d": .integer(4)]), "e": .null])
        #expect(
            defaults.updated(with: stored)
                == .object([
                    "a": .integer(1), "b": .object(["c": .integer(2), "d": .integer(4)]),
                    "e": .null,
                ]))
    }
}
