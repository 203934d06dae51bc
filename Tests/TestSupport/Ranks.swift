import Foundation
import Synchronization
import Torch

/// Runs a body as each rank of a group, on threads of this process.
///
/// - Returns: what the ranks gave, in their order.
public func inRanks<Value: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
) throws -> [Result<Value, any Error>] {
    let store = try TCPStore(isServer: true)
    let outcomes = Outcomes<Value>()
    let ended = DispatchSemaphore(value: 0)
    let port = store.port
    for rank in 0..<size {
        let thread = Thread {
            let outcome = Result {
                try body(
                    ProcessGroup(
                        LaunchEnvironment(
                            LaunchEnvironment.variables(
                                rank: rank, size: size, port: port, launcher: 1))))
            }
            outcomes.ofRanks.withLock { $0[rank] = outcome }
            ended.signal()
        }
        thread.stackSize = 16 << 20
        thread.start()
    }
    for _ in 0..<size { ended.wait() }
    return withExtendedLifetime(store) {
        outcomes.ofRanks.withLock { outcomes in (0..<size).compactMap { outcomes[$0] } }
    }
}

private final class Outcomes<Value: Sendable>: Sendable {
    let ofRanks = Mutex<[Int: Result<Value, any Error>]>([:])
}
