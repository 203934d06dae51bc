import Perception
import Torch

/// Puts faces together that are one person's.
///
/// Clusters grow: of all pairs that are alike enough, the most alike is joined first, if the means of what they have
/// become by then still are; and again, until no two are. Alike is the cosine between embeddings, or their means.
/// Only the nearest of each are looked at in one round, in blocks, so that memory grows with the number of faces
/// and not with its square.
///
/// `N` faces, `D` numbers of an embedding.
package struct FaceClusters {
    /// The cluster of each face: the smallest face in it.
    package let roots: [Int]

    /// The nearest that are looked at in a round, and the faces that are compared with all others at a time.
    private static let neighbours = 16, block = 512

    private struct Edge {
        let likeness: Float
        let first: Int
        let second: Int
    }

    /// - Parameters:
    ///   - embeddings: `[N][D]`, sums of directions: longer ones have more weight.
    ///   - likeness: the cosine from which two are one person, -1 to 1.
    package init(of embeddings: [[Float]], likeness: Float) {
        var groups = DisjointSets(count: embeddings.count)
        var sums = embeddings
        var members = Array(embeddings.indices)
        while members.count > 1 {
            let directions = members.map { unit(sums[$0]) ?? sums[$0] }
            let edges = Self.edges(among: directions, likeness: likeness)
                .sorted { ($1.likeness, $0.first, $0.second) < ($0.likeness, $1.first, $1.second) }
            var isJoined = false
            for edge in edges {
                let (a, b) = (
                    groups.root(of: members[edge.first]), groups.root(of: members[edge.second])
                )
                guard a != b, Self.cosine(sums[a], sums[b]) >= likeness else { continue }
                groups.join(a, b)
                sums[min(a, b)] = zip(sums[a], sums[b]).map(+)
                isJoined = true
            }
            guard isJoined else { break }
            members = members.filter { groups.root(of: $0) == $0 }
        }
        roots = embeddings.indices.map { groups.root(of: $0) }
    }

    /// The pairs that are alike enough, of each face the nearest.
    private static func edges(among directions: [[Float]], likeness: Float) -> [Edge] {
        let count = directions.count, width = directions[0].count
        let all = Tensor(directions.flatMap { $0 }, shape: [count, width])
        var edges: [Edge] = []
        for start in stride(from: 0, to: count, by: block) {
            let end = min(count, start + block)
            // Pairs are seen from their first: what stands before the block was compared with it already.
            let rest = all[start..<count]
            let cosines = withoutGradient {
                all[start..<end].matmul(rest.transposed(0, 1)).contiguous()
            }
            // How a product is summed depends on the processors: the cosine that counts is taken again.
            cosines.withBytes { bytes in
                let values = bytes.bindMemory(to: Float.self)
                for row in 0..<(end - start) {
                    var nearest: [Edge] = []
                    let line = row * (count - start)
                    for column in (row + 1)..<max(row + 1, count - start)
                    where values[line + column] >= likeness - 1e-4 {
                        let (first, second) = (start + row, start + column)
                        let exact = cosine(directions[first], directions[second])
                        guard exact >= likeness else { continue }
                        nearest.append(Edge(likeness: exact, first: first, second: second))
                    }
                    if nearest.count > neighbours {
                        nearest.sort { ($1.likeness, $0.second) < ($0.likeness, $1.second) }
                        nearest.removeLast(nearest.count - neighbours)
                    }
                    edges += nearest
                }
            }
        }
        return edges
    }

    private static func cosine(_ a: [Float], _ b: [Float]) -> Float {
        var (product, lengthA, lengthB) = (Float(0), Float(0), Float(0))
        for (x, y) in zip(a, b) {
            product += x * y
            lengthA += x * x
            lengthB += y * y
        }
        return lengthA > 0 && lengthB > 0 ? product / (lengthA * lengthB).squareRoot() : -1
    }
}
