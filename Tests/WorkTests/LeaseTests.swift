import Dataset
import Foundation
import Storage
import Testing
import Work

@Suite struct LeaseTests {
    private func leases(_ folder: String, _ number: Int, lapse: Double = 60) -> Leases {
        Leases(SharedWorkFolder(folder), worker: .here(number), lapse: lapse)
    }

    /// Sets a claim's last sign of life back.
    private func age(_ path: String, by seconds: Double) throws {
        let before = Date().addingTimeInterval(-seconds)
        try FileManager.default.setAttributes([.modificationDate: before], ofItemAtPath: path)
    }

    @Test func oneWorkerHasAUnitUntilItLetsGo() throws {
        let folder = try TemporaryFolder()
        let lease = try #require(try leases(folder.path, 0).take("crop", "a"))
        #expect(try leases(folder.path, 1).take("crop", "a") == nil)
        #expect(try leases(folder.path, 1).take("crop", "b") != nil)
        #expect(try leases(folder.path, 2).held("crop").map(\.unit) == ["a", "b"])
        lease.release()
        #expect(try leases(folder.path, 1).take("crop", "a") != nil)
    }

    @Test func aClaimThatHasLapsedIsTakenOverWithWhatItsWorkerWasLostOver() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/leases/crop/a.json"
        for number in 0..<3 {
            let lease = try #require(try leases(folder.path, number).take("crop", "a"))
            #expect(lease.note.losses == (number == 0 ? [:] : ["x": number]))
            lease.update { $0.item = "x" }
            // Once the item is skipped the worker is lost over nothing more.
            try age(path, by: 100)
        }
        let last = try #require(try leases(folder.path, 3).take("crop", "a"))
        #expect(last.note.losses == ["x": 3])
        let assignment = Assignment("a", last)
        #expect(assignment.order.skip == ["x": "its worker was lost, 3 times"])
    }

    @Test func whoHasLostAClaimLeavesItAlone() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/leases/crop/a.json"
        let former = try #require(try leases(folder.path, 0).take("crop", "a"))
        try age(path, by: 100)
        let now = try #require(try leases(folder.path, 1).take("crop", "a"))
        former.update { $0.item = "y" }
        former.touch()
        former.release()
        let note = try JSONLines.readDocument(LeaseNote.self, from: path)
        #expect(note == now.note)
    }

    @Test func aUnitThatTakesOthersTooLongIsBegunAgainWhenNothingElseIsLeft() async throws {
        let folder = try TemporaryFolder()
        let other = leases(folder.path, 7, lapse: 1000)
        let slow = try #require(try other.take("crop", "slow"))
        slow.update { $0.since -= 100 }
        let mine = leases(folder.path, 0, lapse: 1000)
        let queue = UnitQueue("crop")
        await queue.offer(["slow", "a", "b", "c"])
        for _ in 0..<3 {
            let assignment = try #require(try await queue.next(mine))
            #expect(assignment.unit != "slow")
            assignment.lease.release()
            await queue.finished(assignment)
        }
        // How long units take is remembered in later rounds, in which there is nothing else to do.
        await queue.offer(["slow"])
        #expect(try await queue.next(mine)?.unit == "slow")
        // Once is enough.
        #expect(try await queue.next(leases(folder.path, 1, lapse: 1000)) == nil)
    }

    @Test func statusSaysWhoWorksOnWhatAndHowMuchIsLeft() throws {
        let folder = try TemporaryFolder()
        let leases = leases(folder.path + "/.work", 0)
        let lease = try #require(try leases.take("crop", "train-00000-003"))
        lease.update { $0.item = "key" }
        let log = WorkLog(SharedWorkFolder(folder.path + "/.work"), worker: .here(0))
        try log.add("measure", pending: 2)
        try log.add("crop", pending: 10)
        for unit in ["a", "b"] { try log.add("crop", unit: unit, seconds: 1) }
        let lines = try WorkStatus(DatasetPlace(folder: folder.path)).lines
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("crop  8 units left, "))
        #expect(lines[1].contains("crop, unit train-00000-003, key, for "))
    }
}
