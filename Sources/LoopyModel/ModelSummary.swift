import Torch

/// What a model consists of, and how much memory it takes: found without allocating it.
public struct ModelSummary {
    /// A module, or one weight.
    public struct Node {
        public var name: String
        /// The shape of a weight; nil for a module.
        public var shape: [Int]?
        public var parameters: Int
        public var children: [Node]
    }

    public let root: Node

    /// - Throws: `LoopyError` `.configuration` for a configuration that makes no model.
    public init(_ configuration: LoopyConfiguration) throws {
        let store = ParameterStore.describing()
        _ = try LoopyNet(store.root, configuration)
        var root = Node(name: "loopy", parameters: 0, children: [])
        for (name, tensor) in store.parameters {
            root.insert(name.split(separator: ".").map(String.init)[...], tensor.shape)
        }
        self.root = root
    }

    public var parameters: Int { root.parameters }

    /// Parameters of the nets, and of what was added to Stable Diffusion's.
    public var parts: [(name: String, parameters: Int)] {
        func count(_ name: String) -> Int {
            root.children.first { $0.name == name }?.parameters ?? 0
        }
        func count(named names: [String]) -> Int {
            root.children.reduce(0) { $0 + $1.count(named: names) }
        }
        let inter = count(named: ["inter_clip"]), intra = count(named: ["intra_clip"])
        let audio = count(named: ["audio_norm", "audio_attn"])
        return [
            ("reference net", count("reference_net")),
            (
                "denoising net, as Stable Diffusion's",
                count("denoising_net") - inter - intra - audio
            ),
            ("inter-clip temporal layers", inter), ("intra-clip temporal layers", intra),
            ("audio attention", audio), ("audio embedding", count("audio_embedding")),
            ("audio-to-latents", count("audio_to_latents")),
        ]
    }

    /// The tree, a line a module or weight.
    ///
    /// - Parameter depth: levels below the root that are shown; nil for all.
    public func lines(depth: Int? = nil) -> [String] { root.lines(indent: "", depth: depth) }
}

extension ModelSummary.Node {
    fileprivate mutating func insert(_ path: ArraySlice<String>, _ shape: [Int]) {
        let count = shape.reduce(1, *)
        parameters += count
        guard let first = path.first else { return }
        guard path.count > 1 else {
            children.append(Self(name: first, shape: shape, parameters: count, children: []))
            return
        }
        if let index = children.firstIndex(where: { $0.name == first && $0.shape == nil }) {
            children[index].insert(path.dropFirst(), shape)
        } else {
            var child = Self(name: first, parameters: 0, children: [])
            child.insert(path.dropFirst(), shape)
            children.append(child)
        }
    }

    /// Parameters of all modules of these names.
    fileprivate func count(named names: [String]) -> Int {
        names.contains(name) ? parameters : children.reduce(0) { $0 + $1.count(named: names) }
    }

    /// Weights stand behind the name of their layer.
    fileprivate func lines(indent: String, depth: Int?) -> [String] {
        let weights = children.filter { $0.shape != nil }
        let shapes = weights.map { "\($0.name) \($0.shape ?? [])" }.joined(separator: ", ")
        let label = indent + name
        let line =
            label.padded(to: 52) + parameters.grouped.padded(to: 16, atStart: true)
            + (shapes.isEmpty ? "" : "  " + shapes)
        guard depth != 0 else { return [line] }
        let modules = children.filter { $0.shape == nil }
        return [line]
            + modules.flatMap { $0.lines(indent: indent + "  ", depth: depth.map { $0 - 1 }) }
    }
}

extension String {
    fileprivate func padded(to width: Int, atStart: Bool = false) -> String {
        let padding = String(repeating: " ", count: max(0, width - count))
        return atStart ? padding + self : self + padding
    }
}

extension Int {
    /// `859,520,964`.
    public var grouped: String {
        var digits = String(magnitude), groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (self < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }
}
