import Crypto
import Errors
import Foundation

extension Sequence where Element == UInt8 {
    /// Two lower-case hex digits a byte.
    var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// SHA-256, in hex.
public enum Digest {
    public static func of(_ text: String) -> String { SHA256.hash(data: Array(text.utf8)).hex }

    public static func of(_ bytes: [UInt8]) -> String { SHA256.hash(data: bytes).hex }

    /// The digest in base64, as browsers are told of scripts.
    public static func base64(of text: String) -> String {
        Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString()
    }

    /// Reads the file once, in pieces.
    public static func ofFile(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LoopyError.system(.missing, "opening it", path) }
        defer { close(descriptor) }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw LoopyError.system(.malformed, "reading", path) }
            if count == 0 { return hash.finalize().hex }
            buffer.withUnsafeBytes { hash.update(bufferPointer: .init(rebasing: $0[..<count])) }
        }
    }
}
