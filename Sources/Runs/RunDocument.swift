import Errors
import Foundation
import Storage

/// Reads the JSON documents of runs and exports, those of earlier versions of Loopy too.
enum RunDocument {
    /// - Parameter defaults: for what a document's `settings` are too old to name.
    /// Reads a document.
    ///
    /// - Parameter defaults: a document of this version, for what an earlier one is too old to name.
    /// - Throws: `LoopyError` `.missing` or `.malformed`.
    static func read<Value: Codable>(
        _ type: Value.Type, from path: String, over defaults: Value
    ) throws -> Value {
        let document = renamed(try JSONLines.readDocument(JSONValue.self, from: path))
        return try decode(
            type, JSONValue(encoding: defaults).updated(with: document), from: path)
    }

    /// - Throws: `LoopyError` `.missing` or `.malformed`.
    static func read<Value: Decodable>(
        _ type: Value.Type, from path: String, defaults: TrainingSettings? = nil
    ) throws -> Value {
        var document = renamed(try JSONLines.readDocument(JSONValue.self, from: path))
        if let defaults, let settings = document["settings"] {
            let known = try JSONValue(encoding: defaults)
            if let unknown = unknown(in: settings, known) {
                throw LoopyError(
                    .malformed,
                    "\(path): names the setting '\(unknown)', which this version of Loopy does not know; "
                        + "take the version that made it")
            }
            document = JSONValue.object(["settings": known]).updated(with: document)
        }
        return try decode(type, document, from: path)
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ document: JSONValue, from path: String
    ) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(document.line))
        } catch {
            throw LoopyError(.malformed, "\(path): cannot be understood (\(error))")
        }
    }

    /// The present names of keys that were called otherwise, each behind the key that holds it. A former
    /// name never stands for anything else.
    private static let names = [
        // run.json
        "settings.begin": "initialWeights", "settings.batch": "batchSize",
        "settings.accumulate": "gradientAccumulation",
        "settings.recompute": "gradientCheckpointing", "settings.averageDecay": "emaDecay",
        "settings.minimumSnrGamma": "snrGamma", "optimiser.warmUp": "warmupSteps",
        "optimiser.maximumNorm": "maxGradNorm",
        // run.json, state.json, config.json
        "schedule.steps": "numTrainTimesteps", "schedule.growth": "betaSchedule",
        "schedule.firstBeta": "betaStart", "schedule.lastBeta": "betaEnd",
        "schedule.prediction": "predictionType", "schedule.zeroTerminalSnr": "rescaleBetasZeroSnr",
        // state.json
        "stream.place": "position", "counts.passedOver": "skipped",
    ]

    private static func renamed(_ value: JSONValue, under key: String = "") -> JSONValue {
        switch value {
        case .string("velocity") where key == "prediction": return .string("v_prediction")
        case .object(let members):
            let pairs = members.map { name, value in
                (names[key + "." + name] ?? name, renamed(value, under: name))
            }
            return .object(Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
        default: return value
        }
    }

    /// The path of a member that other settings do not have, if there is one.
    private static func unknown(in value: JSONValue, _ known: JSONValue) -> String? {
        guard case .object(let members) = value, case .object(let others) = known else {
            return nil
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let other = others[name] else { return name }
            if let inner = unknown(in: value, other) { return name + "." + inner }
        }
        return nil
    }
}
