import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@Suite struct FileLockTests {
    @Test func whoComesSecondIsToldAndWaits() throws {
        try withFolder { folder in
            let path = folder + "/a/.lock"
            var first: FileLock? = try FileLock(path) { Issue.record("nobody else holds it") }
            let isWaiting = DispatchSemaphore(value: 0), isDone = DispatchSemaphore(value: 0)
            let isHeld = Mutex(false)
            let thread = Thread {
                let second = try? FileLock(path) { isWaiting.signal() }
                isHeld.withLock { $0 = second != nil }
                isDone.signal()
            }
            thread.start()
            isWaiting.wait()
            #expect(!isHeld.withLock { $0 })
            withExtendedLifetime(first) {}
            first = nil
            isDone.wait()
            #expect(isHeld.withLock { $0 })
            // Released again.
            try FileLock.holding(path) {
                #expect(FileManager.default.fileExists(atPath: path))
            }
        }
    }
}
