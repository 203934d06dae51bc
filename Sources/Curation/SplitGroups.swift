import Dataset

/// Sources that must not be parted among train, validation and test: those that show the same person, or the same
/// footage.
package struct SplitGroups {
    private let sources: [Source]
    private var groups: DisjointSets
    /// The name of each group, by its root.
    private var names: [Int: String] = [:]

    /// - Parameter links: pairs of sources that show the same person or footage, as indices. Sources of the same
    ///   annotated identity are linked anyway.
    package init(_ sources: [Source], links: some Sequence<(Int, Int)>) {
        self.sources = sources
        groups = DisjointSets(count: sources.count)
        var ofIdentity: [String: Int] = [:]
        for (index, source) in sources.enumerated() {
            guard let identity = source.identity else { continue }
            if let first = ofIdentity[identity] {
                groups.join(first, index)
            } else {
                ofIdentity[identity] = index
            }
        }
        for (a, b) in links { groups.join(a, b) }
        // An annotated identity names its group, so that those who were found beside it do not move it.
        let identities = sources.indices.compactMap { index in
            sources[index].identity.map { (groups.root(of: index), $0) }
        }
        names = Dictionary(identities, uniquingKeysWith: min)
        let digests = sources.indices.map { (groups.root(of: $0), sources[$0].digest) }
        names.merge(Dictionary(digests, uniquingKeysWith: min)) { identity, _ in identity }
    }

    /// What the split of a source is decided by: the smallest annotated identity of its group, or the smallest
    /// digest.
    package mutating func name(of source: Int) -> String {
        names[groups.root(of: source)] ?? sources[source].digest
    }
}

/// Numbers in groups that grow together (Tarjan's union-find).
struct DisjointSets {
    private var parents: [Int]

    init(count: Int) { parents = Array(0..<count) }

    mutating func root(of index: Int) -> Int {
        var index = index
        while parents[index] != index {
            parents[index] = parents[parents[index]]
            index = parents[index]
        }
        return index
    }

    /// The smaller root becomes that of both.
    mutating func join(_ a: Int, _ b: Int) {
        let (one, other) = (root(of: a), root(of: b))
        parents[max(one, other)] = min(one, other)
    }
}
