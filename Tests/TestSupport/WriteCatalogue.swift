import Dataset
import Foundation
import Storage

/// Writes `dataset.json` that knows the crops' side, beside shards that no stage made.
public func writeCatalogue(_ folder: String, side: Int) throws {
    let document = try JSONLines.document(Catalogue())
    guard
        var catalogue = try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any]
    else { preconditionFailure("a catalogue is an object") }
    catalogue["columns"] = [
        "keypoints": [
            "fingerprint": ["digest": "d"], "folder": "f", "suffix": ".npy",
            "inputs": [String: String](), "networks": [String: String](),
            "facts": ["side": side],
        ] as [String: Any]
    ]
    try OutputFile.write(
        JSONSerialization.data(withJSONObject: catalogue), to: folder + "/dataset.json")
}
