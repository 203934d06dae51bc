import Errors
import Foundation
import Settings
import SettingsList
import TestSupport
import Testing

/// Every registered type of settings, whatever it sets.
@Suite struct SectionsTests {
    @Test(arguments: SettingsSection.all)
    func theListOfSettingsNamesExactlyWhatIsEncoded(section: SettingsSection) throws {
        #expect(try section.type.encodedKeys() == section.type.describedKeys())
    }

    @Test(arguments: SettingsSection.all)
    func theDefaultsAreAllowed(section: SettingsSection) throws {
        try section.type.init().validate(as: section.name)
    }

    @Test(arguments: SettingsSection.all)
    func meaningsAreSentences(section: SettingsSection) {
        for setting in section.settings {
            let meaning = setting.meaning
            #expect(meaning.hasSuffix(".") && meaning.count > 10, "\(setting.name): \(meaning)")
            #expect(meaning.first?.isLowercase == false || meaning.hasPrefix("x264"), "\(meaning)")
        }
    }

    @Test func everySectionOfAPipelineFileIsRegistered() {
        #expect(SettingsSection.all.map { $0.path[0] }.removingRepeats() == Section.names)
    }

    /// Each setting is given every odd value: it is read, or refused by its name.
    @Test(arguments: SettingsSection.all)
    func oddValuesAreReadOrRefusedByName(section: SettingsSection) {
        let odd = [
            "0", "-1", "1e308", ".nan", ".inf", "-.inf", "1e-320", "9223372036854775807",
            "-9223372036854775808", "99999999999999999999", "''", "~", "[]", "{}", "[-1, .nan]",
        ]
        for setting in section.settings {
            for value in odd {
                do {
                    try section.check(overrides: ["\(setting.name)=\(value)"])
                } catch let error as LoopyError {
                    #expect(error.category == .configuration)
                    #expect(error.message.hasPrefix(section.name + "."), "\(error) for \(value)")
                } catch {
                    Issue.record("\(setting.name)=\(value): \(error)")
                }
            }
        }
    }

    @Test func thePageOfSettingsIsUpToDate() throws {
        let page = try String(contentsOfFile: root + "/docs/settings.md", encoding: .utf8)
        #expect(
            try page == SettingsPage.markdown(SettingsPage.parts(under: nil)),
            "write it anew: .build/release/loopy settings --markdown > docs/settings.md")
    }

    @Test(arguments: ["select.clips", "train", "extract.speech.encoder"])
    func settingsArePrintedUnderAName(name: String) throws {
        let settings = try SettingsPage.parts(under: name).flatMap(\.settings)
        #expect(!settings.isEmpty)
        #expect(settings.allSatisfy { ($0.name + ".").hasPrefix(name + ".") })
    }

    @Test func anUnknownNameSuggestsTheNearest() {
        let error = #expect(throws: LoopyError.self) {
            try SettingsPage.parts(under: "selct.clips")
        }
        #expect(error?.message.contains("did you mean 'select.clips'?") == true)
    }
}

/// The pipeline files that come with Loopy.
@Suite struct PipelineFilesTests {
    @Test(arguments: ["curate", "demo", "one-speaker", "small", "talking-head"])
    func pipelineFilesAreUnderstood(name: String) throws {
        try SettingsSection.check(root + "/Pipelines/\(name).yaml", overrides: [])
    }

    @Test(arguments: [
        "one-speaker-looks", "one-speaker-stage1", "one-speaker-stage2", "small-distilled",
        "small-stage1", "small-stage2", "train-distilled", "train-stage1", "train-stage2",
        "train-tiny-stage1", "train-tiny-stage2",
    ])
    func trainingFilesAreUnderstood(name: String) throws {
        let train = try #require(SettingsSection.all.first { $0.name == "train" })
        try train.check(root + "/Pipelines/\(name).yaml")
    }

    /// As the paper does (section 3.3: landmarks by DWPose).
    @Test func thePapersKeyPointsAreDWPoses() throws {
        let keypoints = try #require(
            SettingsSection.all.first { $0.name == "extract.keypoints" })
        let settings = try keypoints.documented(in: root + "/Pipelines/talking-head.yaml")
        #expect(
            settings.first { $0.name == "extract.keypoints.landmarks" }?.initial == "dwpose")
    }

    /// What the files say with the defaults' words is the default.
    @Test func theFileOfDefaultsHoldsDefaults() throws {
        let file = root + "/Pipelines/curate.yaml"
        let changed = try SettingsSection.all.flatMap { section in
            try zip(section.settings, section.documented(in: file)).compactMap {
                $0.initial == $1.initial ? nil : "\($1.name)=\($1.initial)"
            }
        }
        #expect(changed == ["extract.latents.side=256"])
    }

    @Test func everySectionIsCheckedBeforeARun() {
        let file = root + "/Pipelines/curate.yaml"
        func message(_ overrides: String...) -> String {
            let error = #expect(throws: LoopyError.self) {
                try SettingsSection.check(file, overrides: overrides)
            }
            return error?.message ?? ""
        }
        #expect(message("train.seed=-1") == "train.seed: -1 is not a whole number of 0 or more")
        #expect(message("evaluate.picture_step=0").hasPrefix("evaluate.picture_step: 0 is not"))
        #expect(message("extract.latent.side=1").contains("did you mean 'latents'?"))
        #expect(message("extract.motion.side=1").contains("there are no settings here"))
        #expect(message("train.preset=tyni").contains("did you mean 'tiny'?"))
    }
}

/// The folder of the package.
private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

extension SettingsSection: CustomTestStringConvertible {
    public var testDescription: String { name }
}

extension DescribedSettings {
    fileprivate static func encodedKeys() throws -> [String] {
        try Configuration.encodedKeys(of: Self()).filter { !$0.isEmpty }.sorted()
    }

    fileprivate static func describedKeys() -> [String] {
        values.flatMap(\.encodedKeys).sorted()
    }

    fileprivate static func documented(_ path: [String], in file: String) throws
        -> [DocumentedSetting]
    {
        try Configuration.read(Self(), section: path, file: file)
            .documented(section: path.joined(separator: "."))
    }
}

extension SettingsSection {
    fileprivate func documented(in file: String) throws -> [DocumentedSetting] {
        try type.documented(path, in: file)
    }
}

extension [String] {
    /// The elements without those that equal the one before them.
    fileprivate func removingRepeats() -> [String] {
        reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}
