import Dataset
import Media

/// `<key>.json` of a shard: where the clip comes from and what was measured of it.
struct ClipFacts: Encodable {
    let key: String
    let frames: Int
    let framesPerSecond: Int
    let sampleRate: Int
    let source: String
    /// Name of the source's file.
    let file: String
    let start: Double
    let end: Double
    let crop: CropSquare?
    let cropMargin: Double?
    let annotation: String?
    let identity: String?
    let attributes: [String: String]?
    let metrics: Metrics?

    enum CodingKeys: String, CodingKey {
        case key, frames, source, file, start, end, crop, annotation, identity, attributes, metrics
        case cropMargin = "crop_margin"
        case framesPerSecond = "frames_per_second"
        case sampleRate = "sample_rate"
    }

    init(key: String, frames: Int, framesPerSecond: Int, sampleRate: Int, decision: Decision) {
        self.key = key
        self.frames = frames
        self.framesPerSecond = framesPerSecond
        self.sampleRate = sampleRate
        source = decision.source
        file = RecordedPath(decision.path).fileName
        start = decision.start
        end = decision.end
        crop = decision.crop
        cropMargin = decision.cropMargin
        annotation = decision.annotation
        identity = decision.identity
        attributes = decision.attributes
        metrics = decision.metrics
    }
}

extension ClipFacts {
    /// The fields of the `.json` of clips, for a dataset card.
    static func fields(of clips: [Decision]) -> [CardField] {
        [
            CardField("key", "string"), CardField("frames", "int64"),
            CardField("frames_per_second", "int64"), CardField("sample_rate", "int64"),
            CardField("source", "string"), CardField("file", "string"),
            CardField("start", "float64"), CardField("end", "float64"),
            CardField("crop_margin", "float64"), CardField("annotation", "string"),
            CardField("identity", "string"),
        ] + CardField.shared(by: clips)
    }
}
