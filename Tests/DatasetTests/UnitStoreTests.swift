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
