import Errors
import Foundation
import Perception

/// HDTF's annotations: `{RD,WDA,WRA}_{video_url,annotion_time,crop_wh,resolution}.txt`, spelled so.
///
/// Rows are `Name URL`; `Name.mp4 MM:SS-MM:SS ...`; `Name_i.mp4 x w y h`, in pixels of a picture of
/// the listed height; `Name.mp4 height`. The layout is what the dataset's repository
/// (MRzzm/HDTF) describes. Names end in a number where a person is in several videos; those of the
/// subset RD are numbered only.
package enum HDTF {
    private static let subsets = ["RD", "WDA", "WRA"]
    private static let kinds = ["video_url", "annotion_time", "crop_wh", "resolution"]
    /// The dataset means to hold nothing below.
    private static let smallestHeight = 720
    /// Numbers beyond this, in seconds and in pixels, are mistakes.
    private static let largestNumber = 1_000_000

    private static func file(_ subset: String, _ kind: String) -> String {
        "\(subset)_\(kind).txt"
    }

    /// - Parameter folder: holds the files.
    /// - Throws: `LoopyError` when a subset's files are not all there, or there are none.
    static func read(_ folder: String) throws -> Annotations {
        var texts: [String: String] = [:]
        for subset in subsets {
            for file in kinds.map({ file(subset, $0) }) {
                let path = folder + "/" + file
                guard FileManager.default.fileExists(atPath: path) else { continue }
                guard let data = FileManager.default.contents(atPath: path) else {
                    throw LoopyError(.missing, "\(path): cannot be read")
                }
                texts[file] = String(decoding: data, as: UTF8.self)
            }
        }
        guard !texts.isEmpty else {
            throw LoopyError(
                .missing,
                "\(folder): holds none of HDTF's annotations, such as WDA_annotion_time.txt")
        }
        return try annotations(texts)
    }

    /// - Parameter texts: by file name. A subset without any is left out.
    package static func annotations(_ texts: [String: String]) throws -> Annotations {
        var result = Annotations()
        var urls: [AnnotationTable] = []
        for subset in subsets {
            let files = kinds.map { file(subset, $0) }
            let missing = files.filter { texts[$0] == nil }
            if missing.count == files.count {
                result.problems.append(
                    AnnotationProblem(files[0], "is not there; the subset \(subset) is left out"))
                continue
            }
            guard missing.isEmpty else {
                throw LoopyError(
                    .missing,
                    "\(missing[0]): is not there beside the subset's other files; add it")
            }
            let tables = files.map {
                AnnotationTable(texts[$0] ?? "", file: $0, problems: &result.problems)
            }
            Subset(
                name: subset, urls: tables[0], times: tables[1], crops: tables[2],
                heights: tables[3]
            ).read(into: &result)
            urls.append(tables[0])
        }
        joinCopies(&result, urls)
        return result
    }

    /// One video under two names is one video and one identity.
    private static func joinCopies(_ result: inout Annotations, _ urls: [AnnotationTable]) {
        var videos: [AnnotatedVideo] = []
        var indices: [String: Int] = [:]
        var sameAs: [String: String] = [:]
        func person(_ identity: String) -> String { sameAs[identity].map(person) ?? identity }
        for video in result.videos {
            guard let id = video.youTubeID, let index = indices[id] else {
                if let id = video.youTubeID { indices[id] = videos.count }
                videos.append(video)
                continue
            }
            videos[index].fileNames += video.fileNames
            if videos[index].spans.isEmpty { videos[index].spans = video.spans }
            let (one, other) = (person(video.identity), person(videos[index].identity))
            if one != other { sameAs[one] = other }
            guard let table = urls.first(where: { $0[video.name] != nil }) else { continue }
            result.problems.append(
                AnnotationProblem(
                    table.file, line: table[video.name]?.line,
                    "\(video.name) is the same video as \(videos[index].name); it is used under "
                        + "that name, and both stand for one identity"))
        }
        for index in videos.indices { videos[index].identity = person(videos[index].identity) }
        result.videos = videos
    }

    /// "08:10" and "1:02:03" in seconds. Minutes may pass the hour.
    static func seconds(_ text: Substring) -> Double? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil
        }
        guard (2...3).contains(parts.count), numbers.count == parts.count, numbers.last! < 60 else {
            return nil  // there are two or three
        }
        let seconds = numbers.reduce(0.0) { $0 * 60 + Double($1) }
        return seconds <= Double(largestNumber) ? seconds : nil
    }

    private static func youTubeID(_ url: String) -> String? {
        guard let parts = URLComponents(string: url) else { return nil }
        if let id = parts.queryItems?.first(where: { $0.name == "v" })?.value { return id }
        return parts.host == "youtu.be" ? String(parts.path.dropFirst()) : nil
    }

    /// The four tables of a subset.
    private struct Subset {
        let name: String
        let urls: AnnotationTable
        let times: AnnotationTable
        let crops: AnnotationTable
        let heights: AnnotationTable

        func read(into result: inout Annotations) {
            var wanted: Set<String> = []
            for row in urls.rows {
                result.listed.videos += 1
                var video = AnnotatedVideo(
                    name: row.name, fileNames: [row.name, "\(name)_\(row.name)"],
                    youTubeID: row.values.first.flatMap(HDTF.youTubeID),
                    identity: identity(row.name))
                if let times = times[row.name], !times.values.isEmpty {
                    result.listed.spans += times.values.count
                    wanted.formUnion(times.values.indices.map { "\(row.name)_\($0)" })
                    let height = height(of: row.name, &result.problems)
                    video.spans = spans(times, height: height, &result.problems)
                } else {
                    result.problems.append(
                        AnnotationProblem(
                            urls.file, line: row.line,
                            "\(row.name) has no interval in \(times.file); left out"))
                }
                result.videos.append(video)
            }
            for row in times.rows where urls[row.name] == nil {
                result.problems.append(
                    AnnotationProblem(
                        times.file, line: row.line, "\(row.name) is not in \(urls.file); left out"))
            }
            for row in crops.rows {
                result.listed.crops += 1
                guard !wanted.contains(row.name) else { continue }
                result.problems.append(
                    AnnotationProblem(
                        crops.file, line: row.line,
                        "\(row.name) has no interval in \(times.file); left out"))
            }
        }

        private func identity(_ video: String) -> String {
            let person = video.reversed().drop { $0.isASCII && $0.isNumber }.reversed()
            return name == "RD" || person.isEmpty ? video : String(person)
        }

        /// - Returns: nil where crop boxes cannot be placed.
        private func height(
            of video: String, _ problems: inout [AnnotationProblem]
        ) -> Int? {
            guard let row = heights[video] else {
                problems.append(
                    AnnotationProblem(
                        heights.file,
                        "lacks \(video): its crop boxes cannot be placed and are left out"))
                return nil
            }
            guard let height = row.values.first.flatMap({ Int($0) }),
                1...HDTF.largestNumber ~= height
            else {
                problems.append(
                    AnnotationProblem(
                        heights.file, line: row.line,
                        "\(video) has the height '\(row.values.first ?? "")': its crop boxes "
                            + "cannot be placed and are left out"))
                return nil
            }
            if height < HDTF.smallestHeight {
                problems.append(
                    AnnotationProblem(
                        heights.file, line: row.line,
                        "\(video) has the height \(height), an odd one; taken as it stands"))
            }
            return height
        }

        private func spans(
            _ row: AnnotationTable.Row, height: Int?, _ problems: inout [AnnotationProblem]
        ) -> [AnnotatedVideo.Span] {
            var spans: [AnnotatedVideo.Span] = []
            for (number, interval) in row.values.enumerated() {
                let name = "\(row.name)_\(number)"
                func report(_ problem: String) {
                    problems.append(
                        AnnotationProblem(
                            times.file, line: row.line, "\(name) (\(interval)) \(problem)"))
                }
                let ends = interval.split(separator: "-", omittingEmptySubsequences: false)
                guard ends.count == 2, let start = HDTF.seconds(ends[0]),
                    let end = HDTF.seconds(ends[1])
                else {
                    report("is not written MM:SS-MM:SS; left out")
                    continue
                }
                guard start < end else {
                    report("does not end after its start; left out")
                    continue
                }
                var span = AnnotatedVideo.Span(
                    name: name, start: start, end: end, attributes: ["subset": self.name])
                if let other = spans.first(where: span.overlaps) {
                    let crop = crops[name] == nil ? ", and has no crop box" : ""
                    report("overlaps \(other.name), which stands before it\(crop); left out")
                    continue
                }
                if let crop = crops[name] {
                    span.box = box(crop, height: height, &problems)
                } else {
                    report("has no crop box in \(crops.file); any face in it may be meant")
                }
                spans.append(span)
            }
            return spans.sorted { $0.start < $1.start }
        }

        /// x, w, y, h.
        private func box(
            _ row: AnnotationTable.Row, height: Int?, _ problems: inout [AnnotationProblem]
        ) -> AnnotatedBox? {
            let numbers = row.values.compactMap { Int($0) }
            guard row.values.count == 4, numbers.count == 4, numbers[1] > 0, numbers[3] > 0,
                numbers.allSatisfy({ -HDTF.largestNumber...HDTF.largestNumber ~= $0 })
            else {
                problems.append(
                    AnnotationProblem(
                        crops.file, line: row.line,
                        "\(row.name) is not four numbers x, w, y, h; the box is left out"))
                return nil
            }
            guard let height else { return nil }
            let bottom = numbers[2] + numbers[3]
            guard numbers[0] >= 0, numbers[2] >= 0, bottom <= height else {
                problems.append(
                    AnnotationProblem(
                        crops.file, line: row.line,
                        "\(row.name) reaches from \(numbers[2]) to \(bottom) in a picture whose "
                            + "listed height is \(height); the box is left out"))
                return nil
            }
            return .pixels(
                Box(
                    left: Double(numbers[0]), top: Double(numbers[2]),
                    right: Double(numbers[0] + numbers[1]), bottom: Double(bottom)),
                height: height)
        }
    }
}
