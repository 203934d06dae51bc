import Curation
import Errors
import Features
import Media
import Storage
import Torch

/// A portrait as the model sees it: the face found, judged, and cropped as in curation.
public struct CroppedPortrait {
    /// The SHA-256 digest of the file.
    public let digest: String
    public let crop: CropSquare
    /// The picture, `[1, 3, side, side]`, from -1 to 1.
    let tensor: Tensor

    /// - Parameters:
    ///   - path: any picture that FFmpeg reads, or a video, whose first picture counts.
    ///   - clipSide: the side with which the crop is cut out, before it is brought to `side`, as in
    ///     training.
    /// - Throws: `LoopyError` `.unsuitable` when the picture is refused; what keeps it from being read.
    init(_ path: String, _ settings: GenerationSettings, clipSide: Int, side: Int) throws {
        let picture = try VideoReader.firstPicture(path: path)
        let portrait: Portrait
        do {
            portrait = try Portrait(picture, rules: settings.rules, clips: settings.clips)
        } catch let refusal as Portrait.Refusal {
            throw LoopyError(.unsuitable, "\(path): \(refusal)")
        }
        digest = try Digest.ofFile(path)
        crop = portrait.crop
        tensor = try RGBConverter().tensor(
            picture.cut(portrait.crop, size: clipSide), side: side)
    }
}
