import Errors
import Settings

/// Settings of `loopy-evaluate`. A network is a file (`.onnx`, `.pt` for TorchScript), the name of one in
/// Manifests/models.yaml, or "none". What a network that is not here would measure is said to be absent.
public struct MetricsSettings: Codable, Sendable {
    /// Inception: pictures to features.
    public var fid = Self.published["fid"] ?? ""
    /// I3D: clips of 16 frames to features.
    public var fvd = Self.published["fvd"] ?? ""
    /// Coefficients of a face's expression.
    public var efid = "none"
    /// SyncNet's weights.
    public var sync = Self.published["sync"] ?? ""
    /// Quality: one number a picture.
    public var iqa = "none"
    /// Smoothness: one number a clip of 16 frames.
    public var smoothness = "none"
    /// Sides to which pictures are brought for the networks that do not say it, in pixels; 0 leaves
    /// pictures as they are.
    public var efidSide = 224
    public var iqaSide = 0
    public var smoothnessSide = 224
    /// Every so many-th picture is looked at by FID, E-FID and IQA.
    public var pictureStep = 1
    /// Where TorchScript networks run: "cpu", "cuda:0".
    public var device = "cpu"

    public init() {}

    /// What the settings name where nothing is said.
    private static let published = ["fid": "fid-inception", "fvd": "fvd-i3d", "sync": "syncnet"]

    /// Settings of networks, by role.
    private var named: [String: String] {
        [
            "fid": fid, "fvd": fvd, "efid": efid, "sync": sync, "iqa": iqa,
            "smoothness": smoothness,
        ]
    }

    /// Files of the networks that are here, and why the others are not, by role.
    ///
    /// - Throws: `LoopyError` for a setting that is neither a file nor a known name, and for numbers
    ///   that make no sense.
    func networks() throws -> (files: [String: String], absent: [String: String]) {
        guard pictureStep > 0, efidSide > 0, iqaSide >= 0, smoothnessSide > 0 else {
            throw LoopyError(
                .configuration,
                "evaluate: picture_step, efid_side and smoothness_side are 1 or more, iqa_side 0 or "
                    + "more")
        }
        var files: [String: String] = [:], absent: [String: String] = [:]
        for (role, setting) in named {
            if setting == "none" {
                absent[role] = "no network: set evaluate.\(role)"
                continue
            }
            // Without a manifest there is nothing under the usual name, and nothing is wrong.
            let isUsual = setting == Self.published[role] && (try? ModelManifest.locate()) == nil
            if let file = isUsual ? nil : try ModelManifest.resolve(setting) {
                files[role] = file
            } else {
                absent[role] = "no network: '\(setting)' is not here; see `loopy models`"
            }
        }
        return (files, absent)
    }

    /// What of the settings changes the numbers, beside the networks.
    var numbers: [String: String] {
        [
            "efid_side": "\(efidSide)", "iqa_side": "\(iqaSide)",
            "smoothness_side": "\(smoothnessSide)", "picture_step": "\(pictureStep)",
            "device": device,
        ]
    }
}
