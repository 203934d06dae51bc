extension Configuration {
    /// The words that follow the message about an unknown name: "; did you mean 'x'?" for the nearest known
    /// name, and where none is near, all of them.
    ///
    /// - Parameter orList: whether all known names are listed where none is near.
    public static func suggest(
        _ name: String, _ known: [String], orList: Bool = true
    ) -> String {
        // They are sorted, so that of names that are equally near the same one is always given.
        let nearest = known.sorted().min { distance($0, name) < distance($1, name) }
        guard let nearest else { return "; there are no settings here" }
        if distance(nearest, name) <= max(2, name.count / 2) {
            return "; did you mean '\(nearest)'?"
        }
        return orList ? "; known are \(known.sorted().joined(separator: ", "))" : ""
    }

    /// Levenshtein's distance between two names.
    private static func distance(_ a: String, _ b: String) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let substitution = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
