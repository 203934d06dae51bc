/// Pictures of a video, read ahead.
public typealias FramePrefetcher = Prefetcher<GridFrame>

extension FramePrefetcher {
    public convenience init(_ reader: sending VideoReader, depth: Int = 8) {
        self.init(depth: depth) { try reader.next() }
    }
}
