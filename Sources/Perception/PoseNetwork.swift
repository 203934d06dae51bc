import Errors
import Torch

/// A whole-body pose network with SimCC outputs (Li et al. 2022): for each point, a score for every
/// column and for every row, at two bins a pixel. `dw-ll_ucoco_384` is one.
///
/// Reference: rtmlib 0.0.16, `RTMPose`; pictures in RGB, as these networks were trained.
final class PoseNetwork {
    /// A part of a picture, with the person in its middle.
    struct Crop {
        let picture: RGBPicture
        /// The part's middle and width, in pixels. A whole number is the centre of a pixel.
        let centreX: Float, centreY: Float, width: Float
    }

    private let network: PictureNetwork
    /// The number of pictures given at once: five, as the published TorchScript network was traced for.
    private static let batch = 5
    private static let height = 384, width = 288
    private static let binsPerPixel = 2
    private static let padding: Float = 1.25
    /// The number of COCO-WholeBody's points, and those of the face among them, in iBUG's order.
    private static let pointCount = 133, face = 23..<91
    /// The values that bytes become, for red, green and blue: less ImageNet's mean, over its standard
    /// deviation.
    private static let channels = [(123.675, 58.395), (116.28, 57.12), (103.53, 57.375)]
        .enumerated().map { channel, normal in
            (index: channel, values: (0..<256).map { Float((Double($0) - normal.0) / normal.1) })
        }

    init(path: String, device: Device, threads: Int) throws {
        network = try PictureNetwork(
            path: path, batch: Self.batch, height: Self.height, width: Self.width, device: device,
            threads: threads)
    }

    /// The part of a picture in which to look for a person's points: the box, a quarter larger, filled
    /// up to the network's proportions.
    func crop(_ picture: RGBPicture, around box: PersonDetector.FloatBox) -> Crop {
        let (width, height) = (
            (box.right - box.left) * Self.padding, (box.bottom - box.top) * Self.padding
        )
        let aspect = Float(network.width) / Float(network.height)
        return Crop(
            picture: picture, centreX: (box.left + box.right) * 0.5,
            centreY: (box.top + box.bottom) * 0.5, width: max(width, height * aspect))
    }

    /// Finds the points of the face in each crop.
    func faces(_ crops: [Crop]) throws -> [FacePoints] {
        try stride(from: 0, to: crops.count, by: network.batch).flatMap { start in
            let some = crops[start..<min(start + network.batch, crops.count)]
            let size = 3 * network.height * network.width
            let outputs = try network.run { input in
                for (index, crop) in some.enumerated() {
                    write(
                        crop,
                        into: .init(rebasing: input[(index * size)..<((index + 1) * size)]))
                }
            }
            return try decode(outputs, some)
        }
    }

    private func write(_ crop: Crop, into input: UnsafeMutableBufferPointer<Float>) {
        let step = Double(crop.width) / Double(network.width)
        crop.picture.cut(
            left: Double(crop.centreX) - step * Double(network.width) / 2,
            top: Double(crop.centreY) - step * Double(network.height) / 2, step: step,
            width: network.width, height: network.height
        ).write(
            into: input, columns: network.width, rows: network.height, channels: Self.channels)
    }

    private func decode(_ outputs: [Tensor], _ crops: ArraySlice<Crop>) throws -> [FacePoints] {
        let columns = network.width * Self.binsPerPixel, rows = network.height * Self.binsPerPixel
        func find(_ bins: Int, _ candidates: some Sequence<Tensor>) -> [Float]? {
            candidates.first { $0.shape == [network.batch, Self.pointCount, bins] }?.array()
        }
        // Of a square network, as everywhere, the columns come first.
        guard let x = find(columns, outputs), let y = find(rows, outputs.reversed()) else {
            throw LoopyError(
                .malformed,
                "\(network.path): gives \(outputs.map(\.shape)), not "
                    + "[\(network.batch), \(Self.pointCount), \(columns)] and "
                    + "[\(network.batch), \(Self.pointCount), \(rows)]: a SimCC network of "
                    + "\(Self.pointCount) points is wanted")
        }
        return try crops.enumerated().map { index, crop in
            var face = FacePoints(points: [], confidences: [])
            // counted from the crop's upper left, in pixels of the picture
            let scale = Double(crop.width) / Double(network.width)
            let left = Double(crop.centreX) - scale * Double(network.width) / 2
            let top = Double(crop.centreY) - scale * Double(network.height) / 2
            for point in Self.face {
                let row = index * Self.pointCount + point
                let (column, sureX) = Self.greatest(x[(row * columns)..<((row + 1) * columns)])
                let (line, sureY) = Self.greatest(y[(row * rows)..<((row + 1) * rows)])
                // rtmlib's mean; mmpose takes the lesser of the two.
                let confidence = 0.5 * (sureX + sureY)
                guard confidence.isFinite else {
                    throw LoopyError(.malformed, "\(network.path): gives what is no number")
                }
                // A point that it does not see at all lies nowhere.
                let isSeen = confidence > 0
                func pixels(_ bin: Int) -> Double {
                    Double(isSeen ? bin : -1) / Double(Self.binsPerPixel) * scale
                }
                face.points.append(Point(left + pixels(column), top + pixels(line)))
                face.confidences.append(confidence)
            }
            return face
        }
    }

    /// The index of the first of the greatest values, from the slice's start, and the value.
    private static func greatest(_ values: ArraySlice<Float>) -> (index: Int, value: Float) {
        var best = values.startIndex
        for index in values.indices where values[index] > values[best] { best = index }
        return (best - values.startIndex, values[best])
    }
}
