import CTorch
import Errors
import Foundation

/// A store of keys that processes share over TCP: one of them serves it, and where they meet.
public final class TCPStore: @unchecked Sendable {
    // Unchecked: libtorch's store takes calls from any thread, and the handle does not change.
    let handle: LoopyStore
    public let port: Int

    /// - Parameters:
    ///   - host: the machine that serves it.
    ///   - port: 0 takes a free one, where this process serves it.
    ///   - isServer: whether this process serves it, as long as the object lives.
    ///   - timeout: how many seconds to wait for the server.
    /// - Throws: `LoopyError` `.processing`; `.configuration` for a host that nobody knows.
    public init(
        host: String = "127.0.0.1", port: Int = 0, isServer: Bool, timeout: Int = 300
    ) throws(LoopyError) {
        var opened: LoopyStore?
        var bound: UInt16 = 0
        guard let number = UInt16(exactly: port) else {
            throw LoopyError(.configuration, "MASTER_PORT: \(port) is no port")
        }
        // libtorch would ask for it until its time is up.
        guard Self.isKnown(host) else {
            throw LoopyError(
                .configuration,
                "there is no machine called '\(host)' for this one: export MASTER_ADDR, the address of "
                    + "rank 0's machine")
        }
        try throwing(
            .processing,
            isServer
                ? "serving the store at port \(port) (MASTER_PORT)"
                : "connecting to the store at \(host):\(port), which rank 0 or its launcher serves "
                    + "(MASTER_ADDR, MASTER_PORT)",
            loopy_torch_open_store(host, number, isServer, Int32(timeout), &opened, &bound))
        handle = opened!  // set when there is no message
        self.port = Int(bound)
    }

    private static func isKnown(_ host: String) -> Bool {
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, nil, &found)
        if status == 0 { freeaddrinfo(found) }
        // That no server of names answers may pass.
        return status != EAI_NONAME
    }

    deinit { loopy_torch_release_store(handle) }

    func set(_ key: String) throws(LoopyError) {
        try throwing(.processing, "writing to the store", loopy_torch_store_set(handle, key))
    }

    /// Adds to a number that is 0 at first.
    ///
    /// - Returns: what it is then.
    func add(_ key: String, _ number: Int) throws(LoopyError) -> Int {
        var sum: Int64 = 0
        try throwing(
            .processing, "counting in the store",
            loopy_torch_store_add(handle, key, Int64(number), &sum))
        return Int(sum)
    }

    func has(_ key: String) throws(LoopyError) -> Bool {
        var has = false
        try throwing(
            .processing, "reading the store", loopy_torch_store_has(handle, key, &has))
        return has
    }
}
