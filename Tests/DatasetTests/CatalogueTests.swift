import Dataset
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct CatalogueTests {
    /// Columns that finish together must not lose one another.
    @Test func updatesOfSeveralWorkersAllCount() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            DispatchQueue.concurrentPerform(iterations: 8) { worker in
                for number in 0..<5 {
                    _ = try? Catalogue.update(dataset) {
                        $0.counts.rejected["\(worker)-\(number)"] = 1
                    }
                }
            }
            let catalogue = try Catalogue.read(dataset)
            #expect(catalogue.counts.rejected.count == 40)
        }
    }

    private struct Encoding: Codable, Equatable {
        var encoder = "log-mel"
        var wholeSeconds = 60.0
        var chunkSeconds = 0.5
        var isNew: Bool? = true
    }

    @Test func settingsGetTheirTypeBack() throws {
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            let settings = Encoding(encoder: "wav2vec2", wholeSeconds: 120, isNew: nil)
            try ColumnWriter(
                "speech", suffix: ".npy", ColumnIdentity(version: 1, configuration: settings),
                settings: settings, dataset: dataset, units: []
            ).finish()
            let column = try Catalogue.read(dataset).column("speech")
            #expect(column.settings["whole_seconds"] == .integer(120))
            var defaults = Encoding()
            defaults.isNew = nil
            #expect(try column.settings(or: defaults) == settings)

            // Reading and writing again changes no byte.
            let before = try bytes(of: dataset.catalogueFile)
            try Catalogue.update(dataset) { _ in }
            #expect(try bytes(of: dataset.catalogueFile) == before)
        }
    }

    /// As words for people, which an earlier version stored.
    @Test func settingsOfEarlierVersionsKeepTheDefaultsOfWhatTheyLack() throws {
        let stored = JSONValue.object([
            "encoder": .string("wav2vec2"), "variance kept": .string("98 %"),
        ])
        try withFolder { folder in
            let dataset = DatasetDirectory(folder)
            try ColumnWriter(
                "speech", suffix: ".npy", ColumnIdentity(version: 1, configuration: 1),
                settings: stored, dataset: dataset, units: []
            ).finish()
            let settings = try Catalogue.read(dataset).column("speech").settings(or: Encoding())
            #expect(settings == Encoding(encoder: "wav2vec2"))
        }
    }
}
