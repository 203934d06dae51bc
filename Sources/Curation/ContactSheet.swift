import Dataset
import Foundation
import Media
import Perception
import Storage

/// Draws every decision with its face: what a person looks at to trust the rules.
public struct ContactSheet {
    private let dataset: DatasetDirectory
    private static let tile = 240
    private static let textHeight = 93
    private static let curve = (width: 92, height: 30)
    private static let columns = 6
    private static let gap = 8

    public init(_ dataset: DatasetDirectory) { self.dataset = dataset }

    /// One tile of the sheet.
    private struct Tile {
        let decision: Decision
        let source: Source
    }

    /// - Returns: the paths of the files written.
    /// - Throws: when the dataset has no selection, or a page cannot be written.
    public func draw(to output: String, perPage: Int, pages: Int) throws -> [String] {
        let sources = Dictionary(
            try dataset.sources().map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        var tiles = try dataset.selection().compactMap { decision in
            sources[decision.source].map { Tile(decision: decision, source: $0) }
        }
        let most = perPage * pages
        if tiles.count > most { tiles = (0..<most).map { tiles[$0 * tiles.count / most] } }
        let measurements = try Measurements(dataset, sources: try dataset.sources())
        let stem = output.hasSuffix(".png") ? String(output.dropLast(4)) : output
        return try stride(from: 0, to: max(1, tiles.count), by: perPage).map { start in
            let page = Array(tiles[start..<min(tiles.count, start + perPage)])
            let path = start == 0 ? stem + ".png" : "\(stem)-\(start / perPage + 1).png"
            try OutputFile.write(try draw(page, measurements).png(), to: path)
            return path
        }
    }

    private func draw(_ tiles: [Tile], _ measurements: Measurements) throws -> Canvas {
        let columns = min(Self.columns, max(1, tiles.count))
        let rows = max(1, (tiles.count + columns - 1) / columns)
        let cell = (width: Self.tile + Self.gap, height: Self.tile + Self.textHeight + Self.gap)
        var canvas = Canvas(
            width: columns * cell.width + Self.gap, height: rows * cell.height + Self.gap,
            fill: .init(24, 24, 28))
        for (index, tile) in tiles.enumerated() {
            let x = Self.gap + index % columns * cell.width
            let y = Self.gap + index / columns * cell.height
            draw(tile, measurements, x: x, y: y, on: &canvas)
        }
        return canvas
    }

    private func draw(
        _ tile: Tile, _ measurements: Measurements, x: Int, y: Int, on canvas: inout Canvas
    ) {
        let decision = tile.decision
        let accepted = decision.decision == .accept
        let colour = accepted ? Canvas.Colour(80, 200, 120) : Canvas.Colour(230, 90, 80)
        let middle = decision.frames.lowerBound + decision.frames.count / 2
        if tile.source.probe != nil,
            let picture = try? picture(of: tile.source, at: middle)
        {
            let points =
                (try? measurements.points(of: decision, source: tile.source, at: middle)) ?? []
            draw(picture, points, crop: decision.crop, x: x, y: y, on: &canvas)
        }
        canvas.drawRectangle(
            x: x, y: y, width: Self.tile, height: Self.tile, thickness: 3, colour)

        let name = (tile.source.path as NSString).lastPathComponent
        let span = String(format: "%.2f-%.2f s", decision.start, decision.end)
        canvas.drawText(
            String(name.prefix(30)), x: x, y: y + Self.tile + 4, size: 13, .init(230, 230, 230))
        canvas.drawText(span, x: x, y: y + Self.tile + 21, size: 13, .init(160, 160, 160))
        let (verdict, reason) = verdict(decision)
        canvas.drawText(verdict, x: x, y: y + Self.tile + 38, size: 13, colour)
        canvas.drawText(reason, x: x, y: y + Self.tile + 55, size: 13, colour)
        if let curve = decision.syncCurve {
            // How sure one can be depends on how long was heard, which rejections do not keep.
            let confidence = decision.metrics?[.syncConfidence].map { String(format: "%.2f ", $0) }
            let offset = MouthSyncScore(curve: curve, seconds: 0).offset
            canvas.drawText(
                "sync \(confidence ?? "")" + String(format: "at %+.1f", offset), x: x,
                y: y + Self.tile + 72, size: 13, .init(160, 160, 160))
            draw(
                curve, x: x + Self.tile - Self.curve.width, y: y + Self.tile + 58, on: &canvas)
        }
    }

    /// How likely each offset of the sound is, as bars from -15 to 15 frames; 0 in another colour.
    private func draw(_ curve: [Double], x: Int, y: Int, on canvas: inout Canvas) {
        let low = min(0, curve.min() ?? 0), top = max(curve.max() ?? 0, low + 1e-9)
        let width = Self.curve.width / curve.count
        for (index, value) in curve.enumerated() {
            let height = max(1, Int(Double(Self.curve.height) * (value - low) / (top - low)))
            canvas.fillRectangle(
                x: x + index * width, y: y + Self.curve.height - height, width: max(1, width - 1),
                height: height,
                index == curve.count / 2 ? .init(255, 220, 60) : .init(110, 140, 200))
        }
    }

    private func verdict(_ decision: Decision) -> (verdict: String, reason: String) {
        guard decision.decision == .reject else {
            let speech = decision.metrics?[.speech].map { String(format: "speech %.2f", $0) }
            return ("accept, \(decision.shard ?? "")", speech ?? "")
        }
        var reason = ""
        if let value = decision.value, let limit = decision.limit {
            reason = String(format: "%.2f, limit %.2f", value, limit)
        }
        return ("reject: \(decision.rule ?? "")", reason)
    }

    private func picture(of source: Source, at frame: Int) throws -> VideoFrame? {
        guard let clock = source.probe?.video.clock else { return nil }
        return try RecordedPath(source.path).withReadablePath(digest: source.digest) { path in
            try VideoReader(path: path, clock: clock, range: frame..<(frame + 1)).next()?.frame
        }
    }

    /// The square around the face, and the points on it.
    private func draw(
        _ picture: VideoFrame, _ points: [Point], crop: CropSquare?, x: Int, y: Int,
        on canvas: inout Canvas
    ) {
        let square = FaceSquare(picture, points, crop: crop, side: Self.tile)
        canvas.paste(square.pixels, x: x, y: y, width: Self.tile, height: Self.tile)
        for point in square.pointsInside {
            canvas.drawDisc(
                x: Double(x) + point.x, y: Double(y) + point.y, radius: 1.6, .init(255, 220, 60))
        }
    }
}
