import Foundation
import Storage
import TestSupport
import Testing

@Suite struct ProcessorsTests {
    /// The quota in a folder that stands for the root.
    private func quota(_ files: [String: String]) throws -> Double? {
        try withRoot(files) { Processors.quota(root: $0) }
    }

    private func memory(_ files: [String: String]) throws -> Int? {
        try withRoot(files) { Processors.memoryLimit(root: $0) }
    }

    private func withRoot<Result>(
        _ files: [String: String], _ body: (String) -> Result
    ) throws -> Result {
        try withFolder { folder in
            for (name, text) in files {
                let path = folder + "/" + name
                try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
                try write(text, to: path)
            }
            return body(folder)
        }
    }

    @Test func thereIsOneAtLeastAndNoMoreThanTheMachineHas() {
        #expect((1...ProcessInfo.processInfo.activeProcessorCount).contains(Processors.available))
        #expect((1...Int(ProcessInfo.processInfo.physicalMemory)).contains(Processors.memory))
    }

    @Test func theTightestGroupOfVersion2Counts() throws {
        let group = ["proc/self/cgroup": "0::/pod/worker\n"]
        #expect(try quota(group) == nil)
        let files = [
            "sys/fs/cgroup/pod/worker/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.max": "400000 100000\n",
        ]
        #expect(try quota(group.merging(files) { $1 }) == 1.5)
    }

    @Test func aContainerSeesItsLimitAtTheRoot() throws {
        #expect(
            try quota([
                "proc/self/cgroup": "0::/../../host/path\n",
                "sys/fs/cgroup/cpu.max": "50000 100000\n",
            ]) == 0.5)
    }

    @Test func version1HasTwoFiles() throws {
        var files = [
            "proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        ]
        #expect(try quota(files) == 2)
        files["sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us"] = "-1\n"
        #expect(try quota(files) == nil)
    }

    /// What files have in memory makes room.
    @Test func whatGroupsLeaveIsWhatTheyDoNotUse() throws {
        func left(_ files: [String: String]) throws -> Int? {
            try withRoot(files) { Processors.memoryLeft(root: $0) }
        }
        var files = [
            "proc/self/cgroup": "0::/pod/worker\n",
            "sys/fs/cgroup/pod/memory.max": "8000\n",
            "sys/fs/cgroup/pod/memory.current": "5000\n",
        ]
        #expect(try left(files) == 3000)
        files["sys/fs/cgroup/pod/memory.stat"] =
            "anon 3000\ninactive_file 1500\nactive_file 500\n"
        #expect(try left(files) == 5000)
        files["sys/fs/cgroup/pod/worker/memory.max"] = "1000\n"
        files["sys/fs/cgroup/pod/worker/memory.current"] = "1200\n"
        #expect(try left(files) == 0)
        #expect(
            try left([
                "proc/self/cgroup": "4:memory:/job\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "4000\n",
                "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "3000\n",
                "sys/fs/cgroup/memory/job/memory.stat":

                    "inactive_file 1\ntotal_inactive_file 400\ntotal_active_file 100\n",
            ]) == 1500)
        #expect(try left(["proc/self/cgroup": "0::/\n"]) == nil)
    }

    @Test func theLeastMemoryCountsInEitherVersion() throws {
        #expect(
            try memory([
                "proc/self/cgroup": "0::/pod/worker\n",
                "sys/fs/cgroup/pod/worker/memory.max": "max\n",
                "sys/fs/cgroup/pod/memory.max": "2147483648\n",
            ]) == 2 << 30)
        #expect(
            try memory([
                "proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1073741824\n",
            ]) == 1 << 30)
    }
}
