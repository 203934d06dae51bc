import Errors

/// What a file is, by its first bytes.
enum FileFormat {
    case safeTensors
    /// A zip archive as `torch.save` writes it since 1.6.
    case torchArchive
    /// A row of pickles as `torch.save` wrote it before.
    case torchLegacy
    /// The JSON list of a sharded checkpoint.
    case index

    /// - Throws: `LoopyError`, saying what it is instead of weights.
    init(of file: MappedFile) throws {
        let head = file.bytes.prefix(512)
        var text = head.drop { [0x20, 0x0a, 0x0d, 0x09].contains($0) }
        if text.starts(with: [0xef, 0xbb, 0xbf]) { text = text.dropFirst(3) }

        // First: a header's length may begin with a byte that looks like '<' or '{'.
        if head.count > 8, head[8] == UInt8(ascii: "{"), !head.prefix(8).allSatisfy(isText) {
            self = .safeTensors
            return
        }
        if head.starts(with: "version https://git-lfs.".utf8) {
            throw LoopyError(
                .malformed,
                "\(file.path): is a Git LFS pointer, not the weights it stands for; "
                    + "run `git lfs pull`, or download the file itself")
        }
        if text.first == UInt8(ascii: "<") {
            throw LoopyError(
                .malformed,
                "\(file.path): is a web page, not weights: the download was probably "
                    + "refused; sign in or accept the licence if the site asks for it, and "
                    + "download again")
        }
        if head.starts(with: "PK\u{3}\u{4}".utf8) {
            self = .torchArchive
        } else if text.first == UInt8(ascii: "{") {
            self = .index
        } else if head.count >= 2, head[0] == 0x80, (2...5).contains(head[1]) {
            self = .torchLegacy
        } else if head.count >= 262, head[257..<262].elementsEqual("ustar".utf8) {
            throw LoopyError(
                .unsupported,
                "\(file.path): is a tar archive (torch saved weights in such ones "
                    + "until 2017): unpack it, or convert it to safetensors")
        } else if head.count < 16 {
            throw LoopyError(
                .malformed,
                "\(file.path): has only \(file.bytes.count) bytes: the download was cut "
                    + "short; download it again")
        } else {
            let start = head.prefix(8).map { byte in
                String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
            throw LoopyError(
                .unsupported,
                "\(file.path): is neither safetensors nor a torch file (it starts "
                    + "with \(start.joined(separator: " "))); convert it to safetensors")
        }
    }
}

/// A header's length of eight such bytes would be beyond any file.
private func isText(_ byte: UInt8) -> Bool {
    (0x20..<0x7f).contains(byte) || (0x09...0x0d).contains(byte)
}
