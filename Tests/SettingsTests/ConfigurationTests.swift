import Errors
import Foundation
import Settings
import Testing
import TestSupport

@Suite struct ConfigurationTests {
    private struct Inner: Codable, Equatable {
        enum Choice: String, Codable { case reject, pad }
        var minimumSize = 50
        var share = 0.5
        var outside = Choice.reject
        var names = ["mp4", "mov"]
    }

    private struct Settings: Codable, Equatable {
        var unitSeconds = 60.0
        var detector = "embedded"
        var isStrict = true
        var inner = Inner()
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

    @Test func suggestsTheNearestName() {
        let top = failure("measure: { unit_second: 30 }\n")
        #expect(top.contains("measure: unknown setting 'unit_second'"))
        #expect(top.contains("did you mean 'unit_seconds'?"))
        let nested = failure("measure: { inner: { minimun_size: 3 } }\n")
        #expect(nested.contains("measure.inner: unknown setting 'minimun_size'"))
        #expect(nested.contains("did you mean 'minimum_size'?"))
        let far = failure("measure: { colour_of_the_sky: blue }\n")
        #expect(far.contains("known are detector, inner, is_strict, unit_seconds"))
        let setting = failure(nil, overrides: ["measure.inner.shar=1"])
        #expect(setting.contains("did you mean 'share'?"))
    }

    @Test(arguments: [
        ("measure: { unit_seconds: long }\n", "unit_seconds"),
        ("measure: { inner: { minimum_size: 1.5 } }\n", "inner.minimum_size"),
        ("measure: { inner: 7 }\n", "inner"),
        ("measure: { inner: { outside: throw } }\n", "inner.outside"),
        ("measure: { is_strict: [] }\n", "is_strict"),
        ("measure: { inner: { names: [[1]] } }\n", "inner.names.0"),
        ("measure: { inner: }\n", "inner"),
    ])
    func namesTheSettingOfTheWrongType(text: String, key: String) {
        let message = failure(text)
        #expect(message.contains("measure: '\(key)'"), "\(message)")
    }

    @Test(arguments: ["measure.unit_seconds", "unit_seconds=3", "measure.unit_seconds=", "=1"])
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
}
