import Foundation
import Settings
import Storage

/// A stage's choice of its key-point network: the setting `landmarks`, and beside it in the same
/// section of a file the settings of every network that has some, under its name.
public struct KeypointChoice: DescribedSettings {
    /// "embedded" for the FaceMesh that comes with Loopy, the file of another FaceMesh, or the name of
    /// a network in `KeypointNetworks`.
    public var landmarks = FaceMeshKeypoints.name
    private var networks: [any KeypointNetwork]

    public init() { networks = KeypointNetworks.all }

    /// The choice of a network with the settings that it has.
    public init(_ network: some KeypointNetwork) {
        landmarks = type(of: network).name
        let others = KeypointNetworks.all.filter { type(of: $0).name != type(of: network).name }
        networks = others + [network]
    }

    /// The network that is chosen.
    var network: any KeypointNetwork {
        networks.first { type(of: $0).name == landmarks } ?? FaceMeshKeypoints(file: landmarks)
    }

    // MARK: Settings

    public static var settings: [Setting<KeypointChoice>] {
        let names = KeypointNetworks.all.map { type(of: $0).name }.joined(separator: ", ")
        let landmarks = Setting<KeypointChoice>.text(
            "landmarks", \.landmarks, "one of \(names), or a file",
            "The key-point network: embedded is the FaceMesh that comes with Loopy, a file another "
                + "FaceMesh. Where measuring takes a network that looks at whole pictures, the embedded "
                + "FaceMesh finds and follows faces and measures poses all the same.")
        func group<Network: KeypointNetwork & DescribedSettings>(
            _ network: Network
        ) -> Setting<KeypointChoice> {
            .group(Network.name) { $0.networks.lazy.compactMap { $0 as? Network }.first ?? network }
        }
        let groups = KeypointNetworks.all.compactMap { network -> Setting<KeypointChoice>? in
            (network as? any KeypointNetwork & DescribedSettings).map { group($0) }
        }
        return [landmarks] + groups
    }

    public init(from decoder: any Decoder) throws {
        try self.init(from: decoder, KeypointNetworks.all)
    }

    /// - Parameter known: the networks that can be chosen, with the defaults of their settings.
    package init(from decoder: any Decoder, _ known: [any KeypointNetwork]) throws {
        let values = try decoder.container(keyedBy: Key.self)
        func read<Network: KeypointNetwork & DescribedSettings>(_: Network) throws
            -> any KeypointNetwork
        {
            try values.decode(Network.self, forKey: Key(stringValue: Network.name))
        }
        landmarks = try values.decode(String.self, forKey: Key(stringValue: "landmarks"))
        networks = try known.map { network in
            guard let hasSettings = network as? any KeypointNetwork & DescribedSettings else {
                return network
            }
            return try read(hasSettings)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(landmarks, forKey: Key(stringValue: "landmarks"))
        for case let network as any KeypointNetwork & DescribedSettings in networks {
            try values.encode(network, forKey: Key(stringValue: type(of: network).name))
        }
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

// MARK: Use

/// The key points of clips: what identifies them, and how they are found.
public struct ClipKeypoints {
    public let version: Int
    /// The settings that identify the points beside the files: none for FaceMesh.
    public let configuration: [String: String]
    /// The files of the networks in use, by role.
    public let files: [String: String]
    /// Loads the networks.
    public let load: () throws -> any KeypointFinder
}

/// The key points of measuring: what identifies them, and the networks that find them.
public struct MeasuringKeypoints {
    /// The settings that identify the points beside the files: none for a network's first version.
    public let configuration: [String: String]
    /// The files of the networks in use, by role.
    public let files: [String: String]
    /// Loads the network that follows faces, and the one whose points replace its points, if any.
    public let load:
        () throws -> (following: any LandmarkNetwork, replacing: (any WholePictureNetwork)?)
}

extension KeypointChoice {
    /// The chosen network for clips.
    ///
    /// - Parameters:
    ///   - detector: the file of the BlazeFace that finds the face which a `LandmarkNetwork` then
    ///     follows, or "embedded".
    ///   - setting: the setting that chooses, for messages.
    ///   - threads: processors; 0 for all.
    /// - Throws: `LoopyError` for a file that is not there or cannot be used.
    public func forClips(detector: String, setting: String, threads: Int) throws -> ClipKeypoints {
        let network = self.network, processors = processors(threads)
        var files = try network.files(for: setting)
        let load: () throws -> any KeypointFinder
        switch network.input {
        case .faceRegion(let loadNetwork):
            let detector = EmbeddedNetwork.blazeFaceShortRange.path(or: detector)
            load = { [files] in
                FollowingFinder(
                    detector: try BlazeFace(.short, path: detector), network: try loadNetwork(files)
                )
            }
            files["detector"] = detector
        case .wholePictures(let loadNetwork):
            load = { [files] in MainFaceFinder(network: try loadNetwork(files, processors)) }
        }
        let kind = type(of: network)
        var configuration = network.configuration
        // FaceMesh is not named: datasets made before there was a choice stay as they are.
        if kind != FaceMeshKeypoints.self { configuration["landmarks"] = kind.name }
        return ClipKeypoints(
            version: kind.version, configuration: configuration, files: files, load: load)
    }

    /// The chosen network for measuring; parameters are as for clips.
    public func forMeasuring(setting: String, threads: Int) throws -> MeasuringKeypoints {
        let network = self.network, processors = processors(threads)
        let kind = type(of: network)
        let files = try network.files(for: setting)
        var named: [String: String] = [:]
        for (role, file) in files { named[kind.measuringRole(role)] = file }
        var configuration = network.configuration
        if kind.version > 1 { configuration["version"] = String(kind.version) }
        switch network.input {
        case .faceRegion(let load):
            return MeasuringKeypoints(configuration: configuration, files: named) {
                (following: try load(files), replacing: nil)
            }
        case .wholePictures(let load):
            let faceMesh = EmbeddedNetwork.faceMesh.path
            named["landmarks"] = faceMesh
            return MeasuringKeypoints(configuration: configuration, files: named) {
                (following: try FaceMesh(path: faceMesh), replacing: try load(files, processors))
            }
        }
    }

    private func processors(_ threads: Int) -> Int {
        threads > 0 ? threads : Processors.available
    }
}
