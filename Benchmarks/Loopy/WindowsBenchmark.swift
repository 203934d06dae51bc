import LoopyModel
import Torch
import Training

/// What `training.py windows` does, by Loopy: windows a second of the training's second stage, read ahead
/// on a thread of their own, with the motion frames that the model sees.
func benchmarkWindows(_ folder: String, count: Int) throws -> Double {
    var settings = WindowSettings()
    settings.shuffle = 32
    let segments = LoopyConfiguration.tiny.segments
    let shards = try WindowStream.shards(in: folder, split: "train")
    let windows = WindowPrefetcher(try WindowStream(shards: shards, settings: settings))
    _ = try windows.next()
    let start = ContinuousClock.now
    for _ in 0..<count {
        let window = try windows.next()
        _ = segments.abstract(window.history)
    }
    return Double(count) / ((ContinuousClock.now - start) / .seconds(1))
}
