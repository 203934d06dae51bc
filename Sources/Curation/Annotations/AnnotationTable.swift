/// A text of rows of words: a name, then values.
///
/// Byte order marks, carriage returns, empty lines and spaces at the ends of lines are passed over.
struct AnnotationTable {
    struct Row {
        /// Without ".mp4".
        let name: String
        let values: [String]
        /// The line, counted from 1.
        let line: Int
    }

    let file: String
    /// The rows in the file's order; of rows with one name the first.
    let rows: [Row]
    private let indices: [String: Int]

    init(_ text: String, file: String, problems: inout [AnnotationProblem]) {
        var rows: [Row] = []
        var indices: [String: Int] = [:]
        let body = text.first == "\u{feff}" ? text.dropFirst() : text[...]
        let lines = body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first else { continue }
            let name = first.hasSuffix(".mp4") ? String(first.dropLast(4)) : first
            if let row = indices[name] {
                problems.append(
                    AnnotationProblem(
                        file, line: index + 1,
                        "\(name) is listed in line \(rows[row].line) already; that line counts"))
                continue
            }
            indices[name] = rows.count
            rows.append(Row(name: name, values: Array(words.dropFirst()), line: index + 1))
        }
        self.file = file
        self.rows = rows
        self.indices = indices
    }

    subscript(name: String) -> Row? { indices[name].map { rows[$0] } }
}
