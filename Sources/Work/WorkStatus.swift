import Dataset
import Foundation
import Storage

/// Who works on a dataset, and how far they are.
public struct WorkStatus: Sendable {
    /// What one worker does.
    public struct Worker: Sendable {
        public var note: LeaseNote
        /// The seconds that it has been at its unit.
        public var seconds: Double
        /// The seconds since it gave a sign of life.
        public var silence: Double
    }

    /// How far a stage is that is being worked on.
    public struct Stage: Sendable {
        public var name: String
        public var left: Int
        /// Units finished a minute, over the last ten minutes.
        public var perMinute: Double
    }

    public private(set) var workers: [Worker] = []
    public private(set) var stages: [Stage] = []

    private static let window = 600.0

    /// - Parameter lapse: the silence after which a worker is not listed any more, in seconds.
    public init(_ place: DatasetPlace, lapse: Double = 3600) throws {
        let folder = place.workFolder
        // Who may only read the dataset has no other clock than this machine's.
        let now = (try? folder.now()) ?? Date().timeIntervalSince1970
        workers = try Leases.notes(folder, within: lapse, now: now).map { note, touched in
            Worker(note: note, seconds: now - note.since, silence: now - touched)
        }
        let lines = try WorkLog.read(folder)
        let active = Set(workers.map(\.note.stage))
        stages = Dictionary(grouping: lines, by: \.stage).filter { active.contains($0.key) }
            .sorted { $0.key < $1.key }.compactMap { Self.stage($0.key, $0.value, now: now) }
    }

    private static func stage(_ name: String, _ lines: [WorkLine], now: Double) -> Stage? {
        // The worker that began last has looked last at what there is to do.
        guard let last = lines.filter({ $0.pending != nil }).max(by: { $0.time < $1.time }),
            let pending = last.pending
        else { return nil }
        let first = lines.map(\.time).min() ?? last.time
        let finished = lines.filter { $0.unit != nil }
        let since = finished.count { $0.time >= last.time }
        let recent = finished.count { now - $0.time < window }
        let span = max(1, min(window, now - first))
        return Stage(
            name: name, left: max(0, pending - since), perMinute: Double(recent) / span * 60)
    }

    /// A line a worker and a stage.
    public var lines: [String] {
        stages.map { stage in
            var text = "\(stage.name)  \(stage.left) units left, "
            text += String(format: "%.1f a minute", stage.perMinute)
            if stage.perMinute > 0, stage.left > 0 {
                text += String(format: ", %.0f min to go", Double(stage.left) / stage.perMinute)
            }
            return text
        }
            + workers.map { worker in
                let note = worker.note
                var text = "\(note.worker)  \(note.stage), unit \(note.unit)"
                if let item = note.item { text += ", \(item)" }
                text += String(format: ", for %.0f s", max(0, worker.seconds))
                if worker.silence > 60 {
                    text += String(format: "; silent for %.0f s", worker.silence)
                }
                return text
            }
    }
}
