import Media
import Perception

/// A picture of a stretch, as a watcher sees it.
package struct SeenPicture {
    package let picture: GridFrame
    /// The faces that are followed in it, or in the picture that it repeats.
    package let faces: [FaceObservation]
    package let startsShot: Bool

    package init(_ picture: GridFrame, faces: [FaceObservation] = [], startsShot: Bool = false) {
        (self.picture, self.faces, self.startsShot) = (picture, faces, startsShot)
    }

    /// Whether this picture is one of so many a second on which measuring takes more time. They are the same
    /// wherever a source is cut into stretches.
    func isLook(every frames: Int) -> Bool { picture.index % frames == 0 }
}

/// A measurer that looks at the pictures of a stretch while they are decoded, and says then what it saw of
/// each face. It sees one stretch after the other.
package protocol PictureWatcher: MetricMeasurer, AnyObject {
    /// Begins a stretch: what was seen before is forgotten.
    ///
    /// - Parameter last: the picture before the stretch; nil where there is none.
    func start(after last: VideoFrame?)

    /// Called with every picture of a stretch, in order.
    func see(_ seen: SeenPicture) throws
}
