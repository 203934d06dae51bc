import Dataset
import Errors
import Foundation
import Storage
import Stores

/// Where a dataset is: in a folder, or in an object store, of which this process has a working copy until it
/// closes it.
public final class DatasetPlace: Sendable {
    /// The folder, or the working copy.
    public let directory: DatasetDirectory
    let workFolder: any WorkFolder
    private let copy: WorkingCopy?

    public init(folder: String) {
        directory = DatasetDirectory(folder)
        workFolder = SharedWorkFolder(directory.workFolder)
        copy = nil
    }

    /// - Parameters:
    ///   - path: a folder, or an address such as "s3://bucket/dataset".
    ///   - scratch: where working copies lie.
    ///   - gigabytes: what archives may take in the working copy.
    /// - Throws: `LoopyError` where the store cannot be reached, or does not know conditional writes.
    public convenience init(_ path: String, scratch: String, gigabytes: Double) throws {
        if ObjectStore.isAddress(path) {
            try self.init(address: path, scratch: scratch, gigabytes: gigabytes)
        } else {
            self.init(folder: path)
        }
    }

    private init(address path: String, scratch: String, gigabytes: Double) throws {
        // Machines may share the scratch folder, and their processes' numbers.
        let folder = "\(scratch)/datasets/\(OutputFile.machine)"
        Self.removeAbandoned(in: folder)
        let own = "\(folder)/\(Digest.of(path).prefix(16))-\(getpid())"
        // Two connections: archives may take minutes, and claims are to be kept alive meanwhile.
        workFolder = try StoredWorkFolder(ObjectStore(path), scratch: own + "-words")
        let copy = try WorkingCopy(ObjectStore(path), in: own, gigabytes: gigabytes)
        self.copy = copy
        directory = DatasetDirectory(own)
        try copy.pull()
    }

    /// Removes the working copy. What was not pushed is lost with it.
    public func close() {
        guard copy != nil else { return }
        for folder in [directory.path, directory.path + "-words"] {
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    public var isRemote: Bool { copy != nil }

    /// Sees what others have done.
    public func pull() throws { try copy?.pull() }

    /// Shows others the units that were finished here.
    func pushUnits() throws { try copy?.pushUnits() }

    /// Shows others all that was done here.
    public func push() throws { try copy?.push() }

    /// Removes the working copies of this machine's processes that are gone.
    private static func removeAbandoned(in folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let process = name.split(separator: "-").dropFirst().first.flatMap({ Int32($0) }),
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }
}
