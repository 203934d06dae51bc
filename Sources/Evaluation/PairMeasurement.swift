import Media

extension VideoMeasurer {
    /// PSNR and SSIM of a video and its reference, frame by frame as far as both go.
    func compare(_ path: String, with reference: String) throws -> VideoPart {
        let (a, b) = (try MediaProbe(path: path), try MediaProbe(path: reference))
        var part = VideoPart()
        func absent(_ reason: String) -> VideoPart {
            part.absent = ["psnr": reason, "ssim": reason]
            return part
        }
        let size = [a.video.width, a.video.height]
        guard size == [b.video.width, b.video.height] else {
            return absent(
                "is \(size[0])x\(size[1]) pixels large, and its reference "
                    + "\(b.video.width)x\(b.video.height)")
        }
        guard size[0] >= PictureComparison.smallestSide, size[1] >= PictureComparison.smallestSide
        else { return absent("is smaller than SSIM's window") }
        let pictures = try Pictures(path, clock: a.video.clock, threads: threads)
        let references = try Pictures(reference, clock: b.video.clock, threads: threads)
        defer {
            pictures.cancel()
            references.cancel()
        }
        var psnr: [Double] = [], ssim: [Double] = []
        while let picture = try pictures.next(), let wanted = try references.next() {
            guard picture.shape == wanted.shape else {
                return absent("changes its size, and its reference does not")
            }
            psnr.append(PictureComparison.psnr(picture, wanted))
            ssim.append(PictureComparison.ssim(picture, wanted))
        }
        part.frames = psnr.count
        part.set("psnr", mean: psnr, frames: psnr.count)
        part.set("ssim", mean: ssim, frames: ssim.count)
        return part
    }
}
