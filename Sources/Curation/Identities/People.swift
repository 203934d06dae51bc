import Dataset
import Storage

/// Who is seen in which candidate, as far as faces tell.
struct People {
    /// A candidate whose face was looked at.
    struct Face {
        /// The number of the candidate, and of its source.
        let candidate: Int
        let source: Int
        /// What it is called wherever it stands among others: its source, first frame and face.
        let name: String
        let identity: FaceIdentity
    }

    /// The name of the person in each candidate.
    private(set) var names: [Int: String] = [:]
    /// Pairs of sources that show the same person.
    private(set) var links: [(Int, Int)] = []

    /// - Parameter likeness: the cosine from which two faces are one person.
    init(_ faces: [Face], likeness: Double) {
        // The order must not matter.
        let faces = faces.sorted { $0.name < $1.name }
        let clusters = FaceClusters(
            of: faces.map(\.identity.sum), likeness: Float(likeness))
        for (face, root) in zip(faces, clusters.roots) {
            let first = faces[root]
            names[face.candidate] = "person-" + Digest.of("person " + first.name).prefix(12)
            if face.source != first.source { links.append((first.source, face.source)) }
        }
    }
}
