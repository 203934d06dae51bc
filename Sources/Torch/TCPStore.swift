import CTorch
import Errors

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
    /// - Throws: `LoopyError` `.processing`.
    public init(
        host: String = "127.0.0.1", port: Int = 0, isServer: Bool, timeout: Int = 300
    ) throws(LoopyError) {
        var opened: LoopyStore?
        var bound: UInt16 = 0
        guard let number = UInt16(exactly: port) else {
            throw LoopyError(.configuration, "MASTER_PORT: \(port) is no port")
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

    deinit { loopy_torch_release_store(handle) }

    func set(_ key: String) throws(LoopyError) {
        try throwing(.processing, "writing to the store", loopy_torch_store_set(handle, key))
    }

    func has(_ key: String) throws(LoopyError) -> Bool {
        var has = false
        try throwing(
            .processing, "reading the store", loopy_torch_store_has(handle, key, &has))
        return has
    }
}
