import Errors
import Speech
import Torch

// Shapes: F frames of a window, H frames before it, C channels and h w places of latents,
// L layers and S channels of speech features.

/// What one training sample sees of a clip.
public struct ClipWindow {
    public var key: String
    /// Path of the shard that holds the clip.
    public var shard: String
    /// The first frame, counted from the clip's beginning.
    public var start: Int
    /// Clean: `[F, C, h, w]`.
    public var latents: Tensor
    /// Of the frames before, in the order of time: `[H, C, h, w]`, in the type that the shard has them
    /// in, for few of them are looked at. H is less than wanted at the clip's beginning, and may be 0.
    public var history: Tensor
    /// Of a random frame of the clip: `[C, h, w]`.
    public var reference: Tensor
    /// Of the frames f - 2 to f + 2: `[F, 5, L, S]`. This and what follows is empty or 0 where no
    /// conditions were wanted.
    public var speech: Tensor
    /// Key points, in parts of the crop's side: `[F, 68, 2]`.
    public var landmarks: Tensor
    /// Variances over the window, in squares of the crop's side.
    public var headMotion: Float
    public var expression: Float
}

/// Which window it is: enough to read it again.
struct WindowPlace: Codable, Sendable, Equatable {
    /// Index of the shard, by name.
    var shard: Int
    var key: String
    var start: Int
    /// The frame that is its reference.
    var reference: Int
}

/// A window as it waits to be handed out. Of a clip no more is kept than its windows see, once where they
/// overlap.
struct StoredWindow {
    let place: WindowPlace
    let shard: String
    /// H.
    let historyCount: Int
    /// `[H + F, C, h, w]`.
    let latents: StoredArray
    /// `[1, C, h, w]`.
    let reference: StoredArray
    let conditions: Conditions?

    struct Conditions {
        /// The frames from two before the window to two after it, as far as they are there: `[t, L, S]`.
        let speech: StoredArray
        /// Index of the window's first frame in `speech`.
        let speechStart: Int
        /// Pixels: `[F, 68, 3]`.
        let keypoints: StoredArray
        /// Pixels.
        let side: Double
        /// `[1, 2]`.
        let motion: StoredArray
    }

    /// - Throws: `LoopyError` `.malformed` when a value is no number.
    func window() throws(LoopyError) -> ClipWindow {
        try requireFinite("latents", latents)
        let end = latents.values.length(0), frames = end - historyCount
        var window = ClipWindow(
            key: place.key, shard: shard, start: place.start,
            latents: latents[historyCount..<end].tensor(),
            history: latents[0..<historyCount].values,
            reference: try checked("latents", reference)[0],
            speech: .zeros([frames, 2 * SpeechWindows.radius + 1, 0, 0]),
            landmarks: .zeros([frames, 0, 2]), headMotion: 0, expression: 0)
        guard let conditions else { return window }
        let first = conditions.speechStart
        window.speech = SpeechWindows.windows(
            try checked("speech", conditions.speech), frames: first..<(first + frames))
        let points = try checked("keypoints", conditions.keypoints)
        window.landmarks = points[.all, .all, 0..<2] / conditions.side
        let motion = try checked("motion", conditions.motion).array(of: Float.self)
        (window.headMotion, window.expression) = (motion[0], motion[1])
        return window
    }

    private func checked(_ name: String, _ stored: StoredArray) throws(LoopyError) -> Tensor {
        try requireFinite(name, stored)
        return stored.tensor()
    }

    private func requireFinite(_ name: String, _ stored: StoredArray) throws(LoopyError) {
        guard !stored.isFinite else { return }
        throw LoopyError(
            .malformed,
            "\(shard), clip \(place.key): \(name) of the window at frame \(place.start) are not "
                + "all finite numbers; extract them again")
    }
}
