import Errors
import Foundation
import Torch

/// YOLOX (Ge et al. 2021), exported without its decoding (`[1, A, 5 + classes]`): finds persons.
///
/// Reference: rtmlib 0.0.16, `YOLOX` with a score threshold of 0.3, DWPose's; pictures in BGR.
package final class PersonDetector {
    /// A person's box and how sure it is, 0...1.
    package struct Detection {
        package var box: FloatBox
        package var score: Float

        package init(box: FloatBox, score: Float) { (self.box, self.score) = (box, score) }
    }

    /// A box in single precision, as the network computes it, in pixels. A whole number is the centre
    /// of a pixel.
    package struct FloatBox {
        var left: Float, top: Float, right: Float, bottom: Float

        package init(left: Float, top: Float, right: Float, bottom: Float) {
            (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
        }

        /// The intersection over the union, of boxes whose last pixel counts.
        func overlap(_ other: FloatBox) -> Float {
            let width = max(0, min(right, other.right) - max(left, other.left) + 1)
            let height = max(0, min(bottom, other.bottom) - max(top, other.top) + 1)
            return width * height / (area + other.area - width * height)
        }

        private var area: Float { (right - left + 1) * (bottom - top + 1) }
    }

    private let network: PictureNetwork
    private let cells: [(x: Float, y: Float, stride: Float)]
    private static let side = 640
    private static let padding: Float = 114
    private static let minimumScore: Float = 0.3
    private static let maximumOverlap: Float = 0.45

    init(path: String, device: Device, threads: Int) throws {
        network = try PictureNetwork(
            path: path, batch: 1, height: Self.side, width: Self.side, device: device,
            threads: threads)
        let (height, width) = (network.height, network.width)
        cells = [8, 16, 32].flatMap { stride in
            (0..<(height / stride)).flatMap { y in
                (0..<(width / stride)).map { (Float($0), Float(y), Float(stride)) }
            }
        }
    }

    /// Finds persons, the surest first.
    func detect(in picture: RGBPicture) throws -> [Detection] {
        // fit the picture into the upper left
        let ratio = min(
            Double(network.height) / Double(picture.height),
            Double(network.width) / Double(picture.width))
        let fitted = picture.resized(
            width: max(1, Int(Double(picture.width) * ratio)),
            height: max(1, Int(Double(picture.height) * ratio)))
        let values = (0..<256).map { Float($0) }
        let outputs = try network.run { input in
            input.update(repeating: Self.padding)
            fitted.write(
                into: input, columns: network.width, rows: network.height,
                channels: [(2, values), (1, values), (0, values)])
        }
        return Self.separate(try decode(outputs, ratio: Float(ratio)))
    }

    private func decode(_ outputs: [Tensor], ratio: Float) throws -> [Detection] {
        guard let output = outputs.first, output.rank == 3, output.length(1) == cells.count,
            output.length(2) > 5
        else {
            throw LoopyError(
                .malformed,
                "\(network.path): gives \(outputs.map(\.shape)), not [1, \(cells.count), 5 + classes]: "
                    + "a YOLOX detector without non-maximum suppression is wanted")
        }
        let columns = output.length(2)
        return output.withBytes { bytes in
            let values = bytes.bindMemory(to: Float.self)
            return cells.indices.compactMap { index -> Detection? in
                let row = index * columns, cell = cells[index]
                // how sure it is that something is there, and that it is a person, the first class
                let score = values[row + 4] * values[row + 5]
                guard score > Self.minimumScore else { return nil }
                let x = (values[row] + cell.x) * cell.stride
                let y = (values[row + 1] + cell.y) * cell.stride
                let width = exp(values[row + 2]) * cell.stride
                let height = exp(values[row + 3]) * cell.stride
                guard (x + y + width + height).isFinite else { return nil }
                return Detection(
                    box: FloatBox(
                        left: (x - width / 2) / ratio, top: (y - height / 2) / ratio,
                        right: (x + width / 2) / ratio, bottom: (y + height / 2) / ratio),
                    score: score)
            }
        }
    }

    /// Keeps the surest of boxes that overlap.
    package static func separate(_ detections: [Detection]) -> [Detection] {
        var kept: [Detection] = []
        for detection in detections.sorted(by: { $0.score > $1.score })
        where kept.allSatisfy({ $0.box.overlap(detection.box) <= maximumOverlap }) {
            kept.append(detection)
        }
        return kept
    }
}
