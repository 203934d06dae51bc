import CSndfile
import Errors

/// A WAV, FLAC or AIFF file that is read, or a FLAC file that is written, by libsndfile. Belongs to one
/// thread at a time.
final class SoundFile {
    let sampleRate: Int
    let channels: Int
    /// The number of samples of each channel by the file's header; nil where it does not say.
    let sampleCount: Int?

    /// nil once the file was finished.
    private var handle: OpaquePointer?
    /// What `handle` reads from or writes to.
    private let bytes: VirtualFile
    private let path: String
    private var position = 0

    /// Opens a file of mono or stereo sound whose samples are stored as they are, or in FLAC.
    ///
    /// - Parameter range: the part of the file that is the sound file: a member of an archive.
    /// - Returns: nil for every other file. FFmpeg knows more codecs, and how more channels are mixed.
    init?(path: String, range: Range<Int>?) {
        guard let file = FileBytes(path: path, range: range), Self.isSound(file.beginning(12))
        else { return nil }
        var facts = SF_INFO()
        guard let opened = Self.open(file, SFM_READ, &facts) else { return nil }
        handle = opened
        bytes = file
        self.path = path
        sampleRate = Int(facts.samplerate)
        channels = Int(facts.channels)
        // Written by a program that could not go back to write the length, FLAC does not know it.
        sampleCount = facts.frames < Int64.max ? Int(facts.frames) : nil
        guard Self.encodings.contains(Int(facts.format) & SF_FORMAT_SUBMASK),
            (1...2).contains(channels), sampleRate > 0
        else { return nil }
    }

    /// Begins a FLAC file in memory: 16 bits, one channel.
    ///
    /// - Throws: `LoopyError` `.processing`.
    init(flacOfRate rate: Int) throws {
        let memory = MemoryBytes()
        var facts = SF_INFO()
        facts.samplerate = Int32(rate)
        facts.channels = 1
        facts.format = Int32(SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
        guard let opened = Self.open(memory, SFM_WRITE, &facts) else {
            throw LoopyError(.processing, "libsndfile cannot write FLAC (\(Self.reason(nil)))")
        }
        handle = opened
        bytes = memory
        path = ""
        sampleRate = rate
        channels = 1
        sampleCount = nil
    }

    deinit { if let handle { sf_close(handle) } }

    private static func open(
        _ bytes: VirtualFile, _ mode: Int, _ facts: inout SF_INFO
    ) -> OpaquePointer? {
        var callbacks = VirtualFile.callbacks
        // libsndfile copies the callbacks; the owner holds `bytes` for as long as the handle.
        return sf_open_virtual(
            &callbacks, Int32(mode), &facts, Unmanaged.passUnretained(bytes).toOpaque())
    }

    /// Whether a file that begins so is WAV, FLAC or AIFF.
    private static func isSound(_ beginning: [UInt8]) -> Bool {
        let kind = String(decoding: beginning.prefix(4), as: UTF8.self)
        let form = String(decoding: beginning.dropFirst(8), as: UTF8.self)
        return kind == "fLaC" || (["RIFF", "RF64"].contains(kind) && form == "WAVE")
            || (kind == "FORM" && ["AIFF", "AIFC"].contains(form))
    }

    private static let encodings = [
        SF_FORMAT_PCM_S8, SF_FORMAT_PCM_U8, SF_FORMAT_PCM_16, SF_FORMAT_PCM_24, SF_FORMAT_PCM_32,
        SF_FORMAT_FLOAT, SF_FORMAT_DOUBLE,
    ]

    private static func reason(_ handle: OpaquePointer?) -> String {
        sf_strerror(handle).map { String(cString: $0) } ?? "unknown"
    }

    /// Goes to a sample; false where that is impossible, and the next sample is the first then.
    func seek(to sample: Int) -> Bool {
        position = sample
        if let sampleCount, sample >= sampleCount { return true }
        if sf_seek(handle, sf_count_t(sample), Int32(SEEK_SET)) == sample { return true }
        position = 0
        sf_seek(handle, 0, Int32(SEEK_SET))
        return false
    }

    /// Reads the next samples: -1...1, the channels' values side by side.
    ///
    /// - Returns: how many of each channel; 0 at the end.
    /// - Throws: `LoopyError` `.undecodable` where the file is damaged.
    func read(into samples: UnsafeMutableBufferPointer<Float>) throws -> Int {
        if let sampleCount, position >= sampleCount { return 0 }
        let count = Int(
            sf_readf_float(
                handle, samples.baseAddress, sf_count_t(samples.count / channels)))
        if sf_error(handle) != 0 {
            throw LoopyError(
                .undecodable,
                "its sound is damaged, or cut off, after \(position / sampleRate) s "
                    + "(\(Self.reason(handle))); `ffmpeg -i FILE OTHER.wav` saves what can be read",
                path: path)
        }
        position += count
        return count
    }

    func write(_ samples: [Int16]) throws {
        guard sf_writef_short(handle, samples, sf_count_t(samples.count)) == samples.count else {
            throw LoopyError(
                .processing, "libsndfile cannot encode samples (\(Self.reason(handle)))")
        }
    }

    /// Ends a file that was written, and gives its bytes.
    func finish() throws -> [UInt8] {
        let status = sf_close(handle)
        handle = nil
        guard status == 0, let memory = bytes as? MemoryBytes else {
            throw LoopyError(.processing, "libsndfile cannot end a file (error \(status))")
        }
        return memory.bytes
    }
}

/// 16 kHz mono samples to FLAC, 16 bits: lossless from there on.
public enum FLAC {
    /// - Parameter samples: one at least, -1...1; values beyond are clipped.
    /// - Throws: `LoopyError` `.processing`.
    public static func encode(_ samples: [Float]) throws -> [UInt8] {
        precondition(!samples.isEmpty, "libFLAC makes no file of no samples")
        let file = try SoundFile(flacOfRate: Grid.sampleRate)
        try file.write(
            samples.map { sample in
                let value = (sample * 32768).rounded()
                return value.isNaN ? 0 : Int16(min(max(value, -32768), 32767))
            })
        return try file.finish()
    }
}
