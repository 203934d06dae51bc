import Dataset
import Errors
import Foundation
import Storage
import Stores
import TestSupport
import Testing
import Work

/// Work on a dataset in a store, which is a folder here.
@Suite(.serialized) struct StoreTests {
    init() { usePythonOfTests() }

    /// Two workers' copies of one dataset.
    private struct Two {
        let folder: String
        let places: [DatasetPlace]
        let unit = WorkUnit(name: "00000", items: ["a"])

        init(_ folder: String) throws {
            self.folder = folder
            places = try (0..<2).map { number in
                try DatasetPlace(
                    "local://\(folder)/store", scratch: "\(folder)/\(number)", gigabytes: 1)
            }
        }

        func units(_ number: Int) -> UnitStore {
            UnitStore(places[number].directory.path + "/columns/c-1")
        }

        func make(_ text: String, in number: Int) throws {
            let archive = try OutputFile(units(number).file(unit, ".tar"))
            let writer = TarWriter(archive)
            try writer.add("a", size: text.utf8.count) { write in try write(Array(text.utf8)) }
            try writer.finish()
            try units(number).commit(
                unit, files: [archive], items: ["a"], frames: [1], failures: [])
        }

        /// What a worker reads of the unit.
        func read(_ number: Int) throws -> String {
            let store = units(number)
            let record = try #require(store.record(unit))
            let name = store.stem(unit) + ".tar"
            return String(decoding: try store.archive(name, of: record).read("a"), as: UTF8.self)
        }
    }

    @Test func whatOneHasMadeOthersSeeAndFetchWhenTheyWantIt() throws {
        try withFolder { folder in
            let two = try Two(folder)
            try two.make("x", in: 0)
            try write("{}", to: two.places[0].directory.catalogueFile)
            try two.places[0].push()
            #expect(!two.units(1).isFinished(two.unit))
            try two.places[1].pull()
            #expect(two.units(1).isFinished(two.unit))
            #expect(access(two.places[1].directory.catalogueFile, F_OK) == 0)
            let archive = two.units(1).file(two.unit, ".tar")
            #expect(access(archive, F_OK) != 0)
            #expect(try two.read(1) == "x")
            #expect(access(archive, F_OK) == 0)
        }
    }

    @Test func whoCommitsAUnitFirstHasMadeIt() throws {
        try withFolder { folder in
            let two = try Two(folder)
            try two.make("first", in: 0)
            try two.make("second", in: 1)
            try two.places[0].push()
            try two.places[1].push()
            for number in 0..<2 {
                try two.places[number].pull()
                #expect(try two.read(number) == "first")
            }
            let stored = try names(in: folder + "/store/columns/c-1")
            #expect(stored.count == 2)
        }
    }

    @Test func whatIsRemovedHereIsRemovedThere() throws {
        try withFolder { folder in
            let two = try Two(folder)
            try two.make("x", in: 0)
            try two.places[0].push()
            try two.places[1].pull()
            two.units(1).keepOnly([])
            try two.places[1].push()
            #expect((try? names(in: folder + "/store/columns/c-1")) ?? [] == [])
            try two.places[0].pull()
            #expect(!two.units(0).isFinished(two.unit))
        }
    }

    @Test func archivesGoWhenThereIsNoRoom() throws {
        try withFolder { folder in
            let place = try DatasetPlace("local://\(folder)/store", scratch: folder, gigabytes: 0)
            let store = UnitStore(place.directory.path + "/columns/c-1")
            let unit = WorkUnit(name: "00000", items: [])
            let archive = try OutputFile(store.file(unit, ".tar"))
            try TarWriter(archive).finish()
            let lines = try OutputFile(store.file(unit, ".jsonl"))
            try lines.write([UInt8(ascii: "\n")])
            try store.commit(unit, files: [lines, archive], items: [], frames: [], failures: [])
            try place.push()
            #expect(access(archive.path, F_OK) != 0)
            // Stages read what is no archive as it lies there.
            #expect(access(lines.path, F_OK) == 0)
            let record = try #require(store.record(unit))
            #expect(try store.archive(store.stem(unit) + ".tar", of: record).members.isEmpty)
        }
    }

    @Test func claimsInAStoreAreHeldTakenOverAndKeptWhenAUnitIsFinished() throws {
        try withFolder { folder in
            func leases(_ number: Int, lapse: Double = 60) throws -> Leases {
                let words = try StoredWorkFolder(
                    ObjectStore("local://\(folder)/store"), scratch: "\(folder)/\(number)")
                return Leases(words, worker: .here(number), lapse: lapse)
            }
            let one = try leases(0), other = try leases(1)
            let lease = try #require(try one.take("crop", "a"))
            #expect(try other.take("crop", "a") == nil)
            #expect(try other.held("crop").map(\.unit) == ["a"])
            lease.update { $0.item = "x" }
            let hasty = try leases(2, lapse: -1)
            let taken = try #require(try hasty.take("crop", "a"))
            #expect(taken.note.losses == ["x": 1])
            lease.touch()
            lease.release()
            #expect(try other.held("crop").map(\.worker.number) == [2])
            // Others see that a unit is finished only when they look again.
            taken.release(isFinished: true)
            #expect(try other.take("crop", "a") == nil)
            #expect(try other.held("crop").isEmpty)
        }
    }
}
