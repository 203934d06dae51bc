import Errors
import Foundation
import Settings
import Torch

extension KeypointNetwork {
    /// Finds the files of networks that users bring: the files that settings name, and for the others
    /// those of the entry of the network's name in Manifests/models.yaml.
    ///
    /// - Parameters:
    ///   - given: the role of each file and the setting that names it, "" where none does, in the
    ///     order of the entry's files.
    ///   - device: where the networks are to run.
    ///   - setting: the setting that asks for the files, for messages.
    /// - Throws: `LoopyError` `.configuration` where a file is not there, or cannot run on the device;
    ///   `.device` for a device that is not here.
    public func locate(
        _ given: KeyValuePairs<String, String>, device: String, for setting: String
    ) throws -> [String: String] {
        let files = try find(given, setting)
        if try Device(device) != .cpu, let onnx = files.values.sorted().first(where: isONNX) {
            throw LoopyError(
                .configuration,
                "\(setting): \(onnx) is an ONNX network, which runs on the CPU; for \(device) set "
                    + "\(given.map(\.key).joined(separator: " and ")) of \(Self.name) to "
                    + "TorchScript networks (.pt)")
        }
        return files
    }

    private func isONNX(_ path: String) -> Bool { PictureNetwork.isONNX(path) }

    private func find(
        _ given: KeyValuePairs<String, String>, _ setting: String
    ) throws -> [String: String] {
        func missing(_ path: String, _ what: String) -> LoopyError {
            LoopyError(
                .configuration,
                "\(setting): \(Self.name) needs networks (\(given.map(\.key).joined(separator: ", "))), "
                    + "and \(path) \(what); `loopy models` says where they are published and where "
                    + "to put them. landmarks: embedded needs none")
        }
        var published: [String] = []
        if given.contains(where: { $0.value.isEmpty }) {
            let manifest = try ModelManifest.locate()
            let entry = try manifest.entry(named: Self.name)
            let presence = manifest.presence(of: entry)
            guard presence.missing.isEmpty, presence.found.count == given.count else {
                throw missing(
                    manifest.location(of: entry),
                    "lacks \(presence.missing.joined(separator: " and "))")
            }
            published = presence.found
        }
        var files: [String: String] = [:]
        for (index, (role, file)) in given.enumerated() {
            if !file.isEmpty, !FileManager.default.isReadableFile(atPath: file) {
                throw missing(file, "is missing or cannot be read")
            }
            files[role] = file.isEmpty ? published[index] : file
        }
        return files
    }
}
