import Errors
import Foundation
import Storage

/// Reads the JSON documents of runs and exports, those of earlier versions of Loopy too.
enum RunDocument {
    /// - Parameter defaults: what a setting has that the document is too old to name.
    /// - Throws: `LoopyError` `.missing` or `.malformed`.
    static func read<Value: Decodable>(
        _ type: Value.Type, from path: String, defaults: (any Encodable)? = nil
    ) throws -> Value {
        do {
            return try JSONLines.readDocument(type, from: path)
        } catch let error as LoopyError where error.category == .malformed {
            guard let bytes = FileManager.default.contents(atPath: path),
                let document = try? JSONSerialization.jsonObject(with: bytes)
            else { throw error }
            var tree = renamed(document)
            if let defaults {
                let known = try JSONSerialization.jsonObject(
                    with: Data(JSONLines.document(defaults)))
                tree = filled(tree, with: known)
            }
            let present = try JSONSerialization.data(withJSONObject: tree)
            guard let value = try? JSONDecoder().decode(type, from: present) else { throw error }
            return value
        }
    }

    /// The present names of keys that were called otherwise, by their former paths. A former name never
    /// stands for anything else.
    private static let names = [
        // run.json
        "settings.begin": "initialWeights", "settings.batch": "batchSize",
        "settings.accumulate": "gradientAccumulation",
        "settings.recompute": "gradientCheckpointing", "settings.averageDecay": "emaDecay",
        "settings.minimumSnrGamma": "snrGamma",
        "settings.optimiser.warmUp": "warmupSteps",
        "settings.optimiser.maximumNorm": "maxGradNorm",
        // state.json
        "stream.place": "position", "stream.counts.passedOver": "skipped",
    ]

    /// The former names in a noise schedule, which stands in run.json, in state.json and in an export's
    /// config.json.
    private static let scheduleNames = [
        "steps": "numTrainTimesteps", "growth": "betaSchedule", "firstBeta": "betaStart",
        "lastBeta": "betaEnd", "prediction": "predictionType",
        "zeroTerminalSnr": "rescaleBetasZeroSnr",
    ]

    private static func presentName(_ key: String, in path: String) -> String? {
        path == "schedule" || path == "settings.schedule"
            ? scheduleNames[key] : names[path.isEmpty ? key : path + "." + key]
    }

    private static func renamed(_ value: Any, at path: String = "") -> Any {
        guard let object = value as? [String: Any] else {
            let isPrediction = path.hasSuffix("schedule.prediction")
            return isPrediction && value as? String == "velocity" ? "v_prediction" : value
        }
        var result: [String: Any] = [:]
        for (key, value) in object {
            result[presentName(key, in: path) ?? key] = renamed(
                value, at: path.isEmpty ? key : path + "." + key)
        }
        return result
    }

    /// Adds the keys that a value lacks.
    private static func filled(_ value: Any, with defaults: Any) -> Any {
        guard let object = value as? [String: Any], let defaults = defaults as? [String: Any]
        else { return value }
        return object.merging(defaults) { filled($0, with: $1) }
    }
}
