import Dataset
import Errors
import Media

/// A source that can be decoded: gives the pictures and the sound of any frames of it.
package struct SourceMedia: Sendable {
    package let probe: MediaProbe
    private let path: RecordedPath
    private let digest: String
    private let bytes: Int
    private let limits: MediaLimits
    private let threads: Int

    /// - Parameter threads: of decoding; 0 for one a processor.
    init(_ source: Source, probe: MediaProbe, limits: MediaLimits, threads: Int) {
        self.probe = probe
        self.limits = limits
        self.threads = threads
        path = RecordedPath(source.path)
        digest = source.digest
        bytes = source.bytes
    }

    func pictures(_ frames: Range<Int>) throws -> sending VideoReader {
        try withReadablePath { path in
            try VideoReader(
                path: path, clock: probe.video.clock, range: frames, threads: threads,
                limits: limits)
        }
    }

    /// The sound of some frames, with zeros where there is none.
    ///
    /// - Parameter delay: frames by which the sound is delayed.
    /// - Throws: `LoopyError` when no sound can be decoded.
    func samples(_ frames: Range<Int>, delay: Int = 0) throws -> [Float] {
        // Sound that leads is delayed: what belongs to frame n is taken from before it.
        let first = Double(frames.lowerBound - delay) / Double(Grid.framesPerSecond)
        return try withReadablePath { path in
            try AudioReader.read(
                path: path, start: probe.video.clock.startSeconds + first,
                count: frames.count * Grid.samplesPerFrame,
                isRegular: probe.video.clock.isRegular, limits: limits)
        }
    }

    /// - Throws: `LoopyError` `.unreadable` where the file is not the one that was ingested: of a copy from an
    ///   object store the digest tells, of a local file its size (times change when a file is copied).
    private func withReadablePath<Result>(_ body: (String) throws -> Result) throws -> Result {
        if !path.isRemote {
            let (found, modified) = Ingest.state(of: path.text)
            // That there is no file is said by who opens it.
            guard modified == 0 || found == bytes else {
                throw LoopyError(
                    .unreadable, "changed since it was ingested; run loopy-ingest again",
                    path: path.text)
            }
        }
        return try path.withReadablePath(digest: digest, body)
    }

    /// The sound of some frames; nil where there is no sound track, or none that can be decoded.
    func sound(_ frames: Range<Int>) throws -> [Float]? {
        guard probe.audio != nil else { return nil }
        do {
            return try samples(frames)
        } catch let error as LoopyError where error.category.concernsInput {
            return nil
        }
    }
}
