import Dataset
import Errors
import Foundation
import LoopyModel
import Storage

/// What a run trains, and on what: `run.json`.
public struct RunDescription: Codable, Sendable {
    public var settings: TrainingSettings
    /// The dataset's columns that the model sees, where the shards' producer says what they are.
    public var columns: [String: Catalogue.Column]
    /// The changes of the data under which the run went on, in the order of their steps.
    public var dataChanges: [DataChange]
    /// The model from which a distilled one learns; nil in other stages.
    public var teacher: Teacher?

    /// A model from which another learns.
    public struct Teacher: Codable, Sendable {
        /// The run, or the folder.
        public var path: String
        /// The number of steps that it was trained for.
        public var step: Int
        /// The SHA-256 digests of its files of weights, by name.
        public var weights: [String: String]
        /// How it is guided.
        public var guidance: Guidance

        package init(_ model: TrainedModel) throws {
            path = model.path
            step = model.description.step
            weights = try model.digests()
            guidance = model.description.sampling.guidance
        }

        /// Whether the same is learnt from another.
        package func isSame(as other: Teacher) -> Bool {
            weights == other.weights && guidance == other.guidance
        }
    }

    /// A change of the shards, or of how windows are drawn from them, under which a run went on with its
    /// weights.
    public struct DataChange: Codable, Sendable, Equatable {
        /// The steps that were done before.
        public var step: Int
        /// The epoch that began with the new data.
        public var epoch: Int
        /// What changed: "3 shards instead of 2, of which 2 are as they were".
        public var change: String

        package init(step: Int, epoch: Int, change: String) {
            (self.step, self.epoch, self.change) = (step, epoch, change)
        }
    }

    package init(
        settings: TrainingSettings, columns: [String: Catalogue.Column],
        dataChanges: [DataChange] = [], teacher: Teacher? = nil
    ) {
        self.settings = settings
        self.columns = columns
        self.dataChanges = dataChanges
        self.teacher = teacher
    }

    private enum CodingKeys: String, CodingKey {
        case settings, columns, teacher
        case dataChanges = "data_changes"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        settings = try values.decode(TrainingSettings.self, forKey: .settings)
        columns = try values.decode([String: Catalogue.Column].self, forKey: .columns)
        // Earlier runs refused to go on.
        dataChanges = try values.decodeIfPresent([DataChange].self, forKey: .dataChanges) ?? []
        teacher = try values.decodeIfPresent(Teacher.self, forKey: .teacher)
    }
}
