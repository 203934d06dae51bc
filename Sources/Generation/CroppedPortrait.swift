import Curation
import Errors
import Features
import Media
import Storage
import Torch

/// Which part of a picture is the portrait.
public enum PortraitChoice: Sendable, Equatable {
    /// The one face that is found, where the rules take it.
    case judged
    /// The largest face that is found, whatever the rules say of it.
    case anyFace
    /// This square, inside the upright picture. No face is looked for.
    case square(CropSquare)
}

/// A portrait as the model sees it: the face found, judged, and cropped as in curation, or the square that
/// somebody chose.
public struct CroppedPortrait {
    /// The SHA-256 digest of the file.
    public let digest: String
    public let crop: CropSquare
    /// What the rules have against the picture, in words.
    public let warnings: [String]
    /// The picture, `[1, 3, side, side]`, from -1 to 1.
    let tensor: Tensor

    /// The least side of a square that somebody chooses, in pixels.
    private static let leastSide = 16

    /// - Parameters:
    ///   - path: any picture that FFmpeg reads, or a video, whose first picture counts.
    ///   - clipSide: the side with which the crop is cut out, before it is brought to `side`, as in
    ///     training.
    /// - Throws: `LoopyError` `.unsuitable` when the picture is refused, `.configuration` when the square
    ///   is not inside it; what keeps it from being read.
    package init(
        _ path: String, _ choice: PortraitChoice = .judged, _ settings: GenerationSettings,
        clipSide: Int, side: Int
    ) throws {
        let picture = try VideoReader.firstPicture(path: path, limits: .ofPictures)
        switch choice {
        case .judged, .anyFace:
            do {
                let portrait = try Portrait(
                    picture, rules: settings.rules, clips: settings.clips,
                    takesAny: choice == .anyFace)
                crop = portrait.crop
                warnings = portrait.refusals.map { "\(path): \($0.reason)" }
            } catch let refusal as Portrait.Refusal {
                throw LoopyError(.unsuitable, "\(path): \(refusal)")
            }
        case .square(let square):
            try Self.require(square, in: picture, path)
            crop = square
            warnings = []
        }
        digest = try Digest.ofFile(path)
        tensor = try RGBConverter().tensor(picture.cut(crop, size: clipSide), side: side)
    }

    private static func require(
        _ square: CropSquare, in picture: VideoFrame, _ path: String
    ) throws(LoopyError) {
        let stated = "--crop \(square.x),\(square.y),\(square.side): "
        guard square.side >= leastSide else {
            throw LoopyError(
                .configuration, stated + "the side must be \(leastSide) pixels or more")
        }
        // Compared in a way that no number overflows.
        let (width, height) = (picture.width, picture.height)
        guard square.x >= 0, square.y >= 0, square.side <= min(width, height),
            square.x <= width - square.side, square.y <= height - square.side
        else {
            throw LoopyError(
                .configuration,
                stated + "this square is not inside the picture \(path), which has "
                    + "\(width)x\(height) pixels when it stands upright")
        }
    }
}
