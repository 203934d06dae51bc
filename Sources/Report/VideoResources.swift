import Dataset
import Errors
import Foundation
import Media
import Perception
import Storage
import Synchronization

/// Generated videos as the page shows them:
///
///     N.mp4            the video
///     N.true.mp4       the true one, where it lies in a folder `true` beside the video's
///     N.jpg            the picture in its middle
///     N.portrait.jpg   what it was made from
final class VideoResources: Sendable {
    private let named: [String]
    private let folder: String
    /// What was found out of videos, by their paths and when they were written.
    private let known = Mutex<[String: Description]>([:])
    /// The most videos of the folder that are shown.
    private static let most = 6

    /// - Parameters:
    ///   - named: videos; those of the folder where there are none.
    ///   - folder: where a run leaves what its model makes of held-out clips.
    /// - Throws: `LoopyError` for a video that is not there.
    init(_ named: [String], orIn folder: String) throws {
        (self.named, self.folder) = (named, folder)
        for path in named where Resource.file(path, type: .mp4) == nil {
            throw LoopyError(.missing, "cannot be read", path: path)
        }
    }

    private var paths: [String] {
        guard named.isEmpty else { return named }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        // Of a video that is being made there is no record yet.
        return names.filter { $0.hasSuffix(".mp4") }.sorted().map { folder + "/" + $0 }
            .filter { FileManager.default.fileExists(atPath: Self.record(of: $0)) }
            .prefix(Self.most).map { $0 }
    }

    struct Description: Encodable, Sendable {
        var name: String
        /// The record beside the video, as loopy-generate wrote it.
        var record: JSONValue
        var curves: VideoCurves
        var hasReference: Bool
        /// Of each frame against the truth's, in dB.
        var psnr: [Double]?

        private enum CodingKeys: String, CodingKey {
            case name, record, curves, psnr
            case hasReference = "has_reference"
        }
    }

    /// Looks for the mouth in each video when that is described for the first time.
    ///
    /// - Throws: `LoopyError` for a video or a record that cannot be read.
    func description() throws -> [Description] {
        try known.withLock { known in
            var follower: FaceFollower?
            return try paths.map { path in
                let date = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
                let identity = "\(path) \((date as? Date)?.timeIntervalSince1970 ?? 0)"
                if let description = known[identity] { return description }
                let made = try follower ?? FaceFollower()
                follower = made
                let description = try Self.describe(path, made)
                known[identity] = description
                return description
            }
        }
    }

    private static func describe(_ path: String, _ follower: FaceFollower) throws -> Description {
        let reference = reference(of: path)
        return Description(
            name: (path as NSString).lastPathComponent,
            record: try JSONLines.readDocument(JSONValue.self, from: record(of: path)),
            curves: try VideoCurves(of: path, follower), hasReference: reference != nil,
            psnr: try reference.map { try framePSNR(of: path, against: $0) })
    }

    func resource(_ name: String) throws -> Resource? {
        let paths = paths
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, let index = Int(parts[0]), paths.indices.contains(index) else {
            return nil
        }
        let path = paths[index]
        switch parts[1] {
        case "mp4": return .file(path, type: .mp4)
        case "true.mp4": return Self.reference(of: path).flatMap { .file($0, type: .mp4) }
        case "jpg":
            let middle = try MediaProbe(path: path).video.gridFrames / 2
            let reader = try VideoReader(path: path, range: middle..<(middle + 1))
            return try reader.next().map { try Self.jpeg($0.frame) }
        case "portrait.jpg":
            struct Record: Decodable {
                struct Portrait: Decodable {
                    var path: String
                    var crop: CropSquare
                }
                var portrait: Portrait
                var side: Int
            }
            let record = try JSONLines.readDocument(Record.self, from: Self.record(of: path))
            let portrait = try VideoReader.firstPicture(
                path: record.portrait.path, limits: .ofPictures)
            return try Self.jpeg(portrait.cut(record.portrait.crop, size: record.side))
        default: return nil
        }
    }

    private static func record(of path: String) -> String {
        (path as NSString).deletingPathExtension + ".json"
    }

    private static func reference(of path: String) -> String? {
        let folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
        guard folder.lastPathComponent == "generated" else { return nil }
        let reference =
            folder.deletingLastPathComponent().path + "/true/"
            + (path as NSString).lastPathComponent
        return FileManager.default.fileExists(atPath: reference) ? reference : nil
    }

    private static func jpeg(_ picture: VideoFrame) throws -> Resource {
        var canvas = Canvas(width: picture.width, height: picture.height, fill: .init(0, 0, 0))
        try canvas.pixels.withUnsafeMutableBufferPointer {
            try RGBConverter().convert(picture, into: $0)
        }
        return Resource(.bytes(try canvas.jpeg()), type: .jpeg)
    }
}

/// The peak signal-to-noise ratio of each frame, in dB, as far as both videos go; 99 for equal pictures. The
/// reference, a square video, is brought to the video's size as clips are cut.
private func framePSNR(of path: String, against reference: String) throws -> [Double] {
    let video = try VideoReader(path: path), truth = try VideoReader(path: reference)
    var values: [Double] = []
    while let picture = try video.next()?.frame, let wanted = try truth.next()?.frame {
        let side = min(wanted.width, wanted.height)
        let sized = try wanted.cut(CropSquare(x: 0, y: 0, side: side), size: picture.width)
        guard sized.width == picture.width, sized.height == picture.height else { return [] }
        let (a, b) = try (rgb(picture), rgb(sized))
        let squares = zip(a, b).reduce(0) { $0 + (Int($1.0) - Int($1.1)) * (Int($1.0) - Int($1.1)) }
        let error = Double(squares) / Double(a.count)
        values.append(error > 0 ? min(99, 10 * log10(255 * 255 / error)) : 99)
    }
    return values.map { ($0 * 100).rounded() / 100 }
}

private func rgb(_ picture: VideoFrame) throws -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: picture.width * picture.height * 3)
    try pixels.withUnsafeMutableBufferPointer { try RGBConverter().convert(picture, into: $0) }
    return pixels
}
