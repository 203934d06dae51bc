import Dataset
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct UnitStoreTests {
    private func commit(_ unit: WorkUnit, to store: UnitStore, _ text: String = "x") throws {
        let file = try OutputFile(store.file(unit, ".tar"))
        try file.write(Array(text.utf8))
        try store.commit(unit, files: [file], items: unit.items, frames: [], failures: [])
    }

    @Test func theDigestIsTheUnitsContent() {
        let unit = WorkUnit(name: "0", items: ["a", "b"])
        #expect(unit.digest == WorkUnit(name: "1", items: ["a", "b"]).digest)
        #expect(unit.digest != WorkUnit(name: "0", items: ["b", "a"]).digest)
        #expect(unit.digest != WorkUnit(name: "0", items: ["a"]).digest)
    }

    @Test func keepsOnlyThePlan() throws {
        try withFolder { folder in
            let store = UnitStore(folder)
            let former = WorkUnit(name: "00000", items: ["a"])
            let kept = WorkUnit(name: "00000", items: ["b"])
            try commit(former, to: store)
            try commit(kept, to: store)
            #expect(try names(in: folder).count == 4)
            #expect(store.record(former) != nil)
            let alive = OutputFile.temporaryPath(of: "other.tar", process: getpid())
            try write("", to: folder + "/" + alive)
            store.keepOnly([kept])
            #expect(store.record(kept) != nil)
            #expect(store.record(former) == nil)
            let expected = [alive, store.stem(kept) + ".json", store.stem(kept) + ".tar"]
            #expect(try names(in: folder) == expected.sorted())
        }
    }

    @Test func whatNoRecordNamesStays() throws {
        try withFolder { folder in
            let store = UnitStore(folder, namesCarryDigest: false)
            let former = WorkUnit(name: "train-00001", items: ["a"])
            try commit(former, to: store)
            let foreign = ["README.md", "notes.json", "others.tar", "train.txt"]
            for name in foreign { try write("{}", to: folder + "/" + name) }
            store.keepOnly([])
            #expect(try names(in: folder) == foreign)
        }
    }

    @Test func shardsAreNamedForTheUnitAlone() throws {
        try withFolder { folder in
            let store = UnitStore(folder, namesCarryDigest: false)
            let former = WorkUnit(name: "train-00000", items: ["a"])
            let changed = WorkUnit(name: "train-00000", items: ["b"])
            try commit(former, to: store)
            #expect(try names(in: folder) == ["train-00000.json", "train-00000.tar"])
            // The same file, made from something else: not finished.
            #expect(store.record(changed) == nil)
            try commit(changed, to: store, "y")
            #expect(store.record(changed)?.files[0].sha256 == Digest.of("y"))
            #expect(store.record(former) == nil)
        }
    }

    @Test func aRecordThatCannotBeReadIsNone() throws {
        try withFolder { folder in
            let store = UnitStore(folder)
            let unit = WorkUnit(name: "00000", items: ["a"])
            try commit(unit, to: store)
            try write("{", to: store.file(unit, ".json"))
            #expect(store.pending([unit]) == [unit])
        }
    }
}

@Suite struct FirstCommitTests {
    private let unit = WorkUnit(name: "00000", items: ["a"])

    private func file(_ store: UnitStore, _ text: String) throws -> OutputFile {
        let file = try OutputFile(store.file(unit, ".tar"))
        try file.write(Array(text.utf8))
        return file
    }

    private func commit(_ store: UnitStore, _ file: OutputFile, frames: Int) throws {
        try store.commit(unit, files: [file], items: ["a"], frames: [frames], failures: [])
    }

    @Test func whoeverIsFirstHasMadeTheUnit() throws {
        try withFolder { folder in
            let store = UnitStore(folder)
            // Each process writes under a temporary name of its own; here one is moved out of the way.
            let slow = try OutputFile(folder + "/slow.tar")
            try slow.write(Array("slow".utf8))
            try commit(store, file(store, "fast"), frames: 1)
            try commit(store, slow, frames: 2)
            #expect(store.record(unit)?.frames == [1])
            #expect(try bytes(of: store.file(unit, ".tar")) == Array("fast".utf8))
        }
    }

    @Test func aFileWithoutItsRecordIsReplaced() throws {
        try withFolder { folder in
            let store = UnitStore(folder)
            // A worker was lost between the two.
            try write("left", to: store.file(unit, ".tar"))
            #expect(store.record(unit) == nil)
            try commit(store, file(store, "whole"), frames: 1)
            #expect(store.record(unit)?.files[0].sha256 == Digest.of("whole"))
        }
    }

    @Test func aRecordWhoseFileIsGoneVouchesForNoOther() throws {
        try withFolder { folder in
            let store = UnitStore(folder)
            try commit(store, file(store, "first"), frames: 1)
            unlink(store.file(unit, ".tar"))
            try commit(store, file(store, "other"), frames: 2)
            #expect(store.record(unit)?.files[0].sha256 == Digest.of("other"))
            #expect(store.record(unit)?.frames == [2])
        }
    }

    private func make(_ text: String, in folder: String) throws -> Bool {
        let file = try OutputFile(folder + "/name")
        try file.write(Array(text.utf8))
        return try file.commitFirst()
    }

    @Test func aNameThatIsTakenIsNotTakenAgain() throws {
        try withFolder { folder in
            let (first, second) = (try make("one", in: folder), try make("two", in: folder))
            #expect(first && !second)
            #expect(try bytes(of: folder + "/name") == Array("one".utf8))
            #expect(try names(in: folder) == ["name"])
        }
    }
}
