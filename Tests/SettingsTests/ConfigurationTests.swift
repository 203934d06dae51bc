import Errors
import Foundation
import Settings
import TestSupport
import Testing

@Suite struct ConfigurationTests {
    private struct Inner: DescribedSettings, Equatable {
        enum Choice: String, Codable, CaseIterable { case reject, pad }
        var minimumSize = 50
        var share = 0.5
        var outside = Choice.reject
        var names = ["mp4", "mov"]
        var limits = Limits()

        static var settings: [Setting<Inner>] {
            [
                .number("minimum_size", \.minimumSize, in: 0...100, unit: "pixels", "A size."),
                .number("share", \.share, in: 0...1, "A share."),
                .choice("outside", \.outside, "What is done."),
                .list("names", \.names, "Names."),
                .limits(
                    "limits", minimum: \.limits.minimum, maximum: \.limits.maximum, "Limits."),
            ]
        }

        static var formerKeys: [String: String] { ["part": "share"] }

        var conflict: String? {
            share == 0 && minimumSize == 0 ? "share: 0 and minimum_size: 0 exclude each other" : nil
        }
    }

    private struct Limits: Codable, Equatable {
        var minimum: Double? = 1
        var maximum: Double? = 2
    }

    private struct Settings: DescribedSettings, Equatable {
        var unitSeconds = 60.0
        var detector = "embedded"
        var note = "none"
        var isStrict = true
        var inner = Inner()
        var others: [String: Inner] = [:]

        static var settings: [Setting<Settings>] {
            [
                .number("unit_seconds", \.unitSeconds, in: 1...1000, unit: "s", "A time."),
                .text("detector", \.detector, "a file, or embedded", "A detector."),
                .text("note", \.note, "anything", mayBeEmpty: true, "A note."),
                .flag("is_strict", \.isStrict, "Whether."),
                .group("inner", \.inner),
                .named("others", \.others),
            ]
        }

        static var formerKeys: [String: String] { ["finder": "detector"] }
    }

    private func read(
        _ text: String?, section: [String] = ["measure"], overrides: [String] = []
    ) throws -> Settings {
        try withFolder { folder in
            let path = folder + "/pipeline.yaml"
            if let text { try write(text, to: path) }
            return try Configuration.read(
                Settings(), section: section, file: text == nil ? nil : path, overrides: overrides)
        }
    }

    /// The message of the error that reading throws.
    private func failure(_ text: String?, overrides: [String] = []) -> String {
        let error = #expect(throws: LoopyError.self) { try read(text, overrides: overrides) }
        #expect(error?.category == .configuration)
        return error?.message ?? ""
    }

    @Test(arguments: [
        nil, "", "# nothing\n", "select:\n  rules: 1\n", "measure:\n", "measure: {}\n",
    ])
    func whatIsNotNamedKeepsItsDefault(text: String?) throws {
        #expect(try read(text) == Settings())
    }

    @Test func nestedSettingsReplaceOneByOne() throws {
        let text = """
            measure:
              unit_seconds: 30
              inner:
                minimum_size: 80
                names: [avi]
            """
        var expected = Settings()
        expected.unitSeconds = 30
        expected.inner.minimumSize = 80
        expected.inner.names = ["avi"]
        #expect(try read(text) == expected)
    }

    @Test func sectionsMayLieDeep() throws {
        let settings = try read(
            "extract:\n  keypoints: { unit_seconds: 2 }\n", section: ["extract", "keypoints"])
        #expect(settings.unitSeconds == 2)
    }

    @Test func settingsOnTheCommandLineComeLast() throws {
        let settings = try read(
            "measure: { unit_seconds: 30, detector: a.onnx }\n",
            overrides: [
                "measure.unit_seconds=15", "measure.inner.outside=pad", "measure.is_strict=false",
                "measure.inner.names=[x, y]", "select.rules.speech.minimum=1",
                "measure.detector=b=c.onnx",
            ])
        #expect(settings.unitSeconds == 15)
        #expect(settings.inner.outside == .pad)
        #expect(!settings.isStrict)
        #expect(settings.inner.names == ["x", "y"])
        #expect(settings.detector == "b=c.onnx")
        #expect(settings.inner.share == 0.5)
    }

    @Test func aTextIsEmptiedByNothing() throws {
        #expect(try read(nil, overrides: ["measure.note="]).note == "")
        for name in ["unit_seconds", "detector", "is_strict"] {
            let message = failure(nil, overrides: ["measure.\(name)="])
            #expect(message.contains("measure.\(name)"), "\(message)")
        }
    }

    @Test func suggestsTheNearestName() {
        let top = failure("measure: { unit_second: 30 }\n")
        #expect(top.contains("measure: unknown setting 'unit_second'"))
        #expect(top.contains("did you mean 'unit_seconds'?"))
        let nested = failure("measure: { inner: { minimun_size: 3 } }\n")
        #expect(nested.contains("measure.inner: unknown setting 'minimun_size'"))
        #expect(nested.contains("did you mean 'minimum_size'?"))
        let far = failure("measure: { colour_of_the_sky: blue }\n")
        #expect(far.contains("known are detector, inner, is_strict, note, others, unit_seconds"))
        let setting = failure(nil, overrides: ["measure.inner.shar=1"])
        #expect(setting.contains("did you mean 'share'?"))
    }

    @Test(arguments: [
        ("unit_seconds: long", "unit_seconds: long is not a number from 1 to 1000"),
        (
            "inner: { minimum_size: 1.5 }",
            "inner.minimum_size: 1.5 is not a whole number from 0 to 100"
        ),
        ("inner: 7", "inner: 7 is not a mapping of settings: minimum_size, share, outside"),
        (
            "inner: { outside: padd }",
            "inner.outside: padd is not one of reject, pad; did you mean 'pad'?"
        ),
        ("is_strict: []", "is_strict: a list is not true or false"),
        ("inner: { names: [[1]] }", "inner.names.0: a list is not a text that is not empty"),
        ("inner: { names: x }", "inner.names: x is not a list of texts"),
        ("inner: { limits: { minimum: a } }", "inner.limits.minimum: a is not a number or null"),
        ("inner:", "inner: an empty value is not a mapping"),
    ])
    func namesTheSettingOfTheWrongType(text: String, fault: String) {
        let message = failure("measure:\n  \(text)\n")
        #expect(message.contains("measure.\(fault)"), "\(message)")
    }

    @Test(arguments: [
        ("unit_seconds=0", "unit_seconds: 0 is not a number from 1 to 1000"),
        ("unit_seconds=.nan", "unit_seconds: .nan is not a number"),
        ("unit_seconds=-.inf", "unit_seconds: -.inf is not a number"),
        ("unit_seconds=1e308", "unit_seconds: 1e+308 is not a number"),
        ("inner.minimum_size=-1", "inner.minimum_size: -1 is not a whole number from 0 to 100"),
        ("inner.minimum_size=1e308", "inner.minimum_size: 1e308 is not a whole number"),
        (
            "inner.minimum_size=99999999999999999999",
            "inner.minimum_size: 99999999999999999999 is not a whole number"
        ),
        ("detector=''", "detector: \"\" is not a file, or embedded"),
        ("inner.names=[a, '']", "inner.names.1: \"\" is not a text that is not empty"),
        ("inner.limits.minimum=3", "inner.limits: the minimum, 3, is more than the maximum, 2"),
        ("inner.limits.minimum=-.inf", "inner.limits: minimum: -.inf"),
    ])
    func refusesValuesOutsideOfTheirLimits(setting: String, fault: String) {
        let message = failure(nil, overrides: ["measure." + setting])
        #expect(message.hasPrefix("measure.\(fault)"), "\(message)")
    }

    @Test func namesSettingsThatDoNotGoTogether() {
        let message = failure("measure: { inner: { share: 0, minimum_size: 0 } }\n")
        #expect(message == "measure.inner.share: 0 and minimum_size: 0 exclude each other")
    }

    @Test func saysWhatAFormerKeyIsCalledNow() {
        #expect(
            failure("measure: { finder: x }\n") == "measure.finder is called measure.detector now")
        #expect(
            failure(nil, overrides: ["measure.inner.part=1"])
                == "measure.inner.part is called measure.inner.share now")
    }

    /// The user chooses the names; what is not said of each keeps its default.
    @Test func settingsMayStandUnderNamesOfTheUsers() throws {
        let settings = try read(
            "measure: { others: { first_one: { share: 0.25 }, second: {} } }\n",
            overrides: ["measure.others.second.outside=pad", "measure.others.third.share=1"])
        #expect(settings.others.keys.sorted() == ["first_one", "second", "third"])
        #expect(settings.others["first_one"]?.share == 0.25)
        #expect(settings.others["first_one"]?.minimumSize == 50)
        #expect(settings.others["second"]?.outside == .pad)
        #expect(settings.others["third"]?.share == 1)
    }

    @Test(arguments: [
        ("{ a: { shar: 1 } }", "measure.others.a: unknown setting 'shar'; did you mean 'share'?"),
        ("{ a: { share: 2 } }", "measure.others.a.share: 2 is not a number from 0 to 1"),
        ("{ a: { share: much } }", "measure.others.a.share: much is not a number from 0 to 1"),
        ("{ a: { share: 0, minimum_size: 0 } }", "measure.others.a.share: 0 and minimum_size"),
        ("{ a: 3 }", "measure.others.a"),
    ])
    func settingsUnderNamesOfTheUsersAreChecked(text: String, message: String) {
        let found = failure("measure: { others: \(text) }\n")
        #expect(found.hasPrefix(message), "\(found)")
    }

    @Test func limitsMayBeNull() throws {
        let settings = try read("measure: { inner: { limits: { minimum: null, maximum: ~ } } }\n")
        #expect(settings.inner.limits == Limits(minimum: nil, maximum: nil))
    }

    @Test(arguments: ["measure.unit_seconds", "unit_seconds=3", "=1", "="])
    func settingsAreWrittenWithStageKeyAndValue(setting: String) {
        let message = failure(nil, overrides: [setting])
        #expect(message.contains("'\(setting)'"))
        #expect(message.contains("stage.key=value"))
    }

    @Test(arguments: ["- a\n- b\n", "just words\n", "measure: {\n", "a: 1\na: 2\n", "a:\tb: c\n"])
    func refusesFilesThatAreNoPipelines(text: String) {
        #expect(failure(text).contains("pipeline.yaml"))
    }

    @Test func namesAFileThatIsMissing() {
        let error = #expect(throws: LoopyError.self) {
            try Configuration.read(Settings(), section: ["measure"], file: "/nowhere/p.yaml")
        }
        #expect(error?.message.contains("/nowhere/p.yaml") == true)
    }

    @Test func stagesRunInTheOrderOfTheFile() throws {
        try withFolder { folder in
            let path = folder + "/pipeline.yaml"
            try write(
                "zeta:\nrun: { workers: 2 }\nextract:\n  motion:\n  keypoints: {}\nalpha: {}\n",
                to: path)
            #expect(
                try Configuration.stages(of: path) == [
                    ["zeta"], ["run"], ["extract", "motion"], ["extract", "keypoints"], ["alpha"],
                ])
        }
    }

    @Test func theValuesOfANameAreFoundWhereverTheyStandInASection() throws {
        try withFolder { folder in
            let path = folder + "/pipeline.yaml"
            try write(
                "measure: { keypoints: { device: cuda:1 } }\nselect: { device: cuda:2 }\nextract:\n  latents: { side: 64 }\n",
                to: path)
            func devices(_ section: String...) throws -> [String] {
                try Configuration.values(
                    of: "device", section: section, file: path,
                    overrides: [
                        "extract.latents.device=cuda:0", "measure.device.other=1",
                        "select.device=cpu",
                    ])
            }
            #expect(try devices("measure") == ["cuda:1"])
            #expect(try devices("extract", "latents") == ["cuda:0"])
            #expect(try devices("extract", "speech") == [])
            #expect(try devices("select") == ["cpu"])
            #expect(try devices("crop") == [])
        }
    }
}
