import Errors

/// How many processes train together, and which of them this one is, as whatever launched it says in its
/// environment: torchrun, `srun`, `mpirun`, or `loopy-train --processes`.
public struct LaunchEnvironment: Sendable, Equatable {
    /// The number of this process, from 0.
    public var rank = 0
    /// The number of processes.
    public var size = 1
    /// The number of this process among those of its machine.
    public var localRank = 0
    /// The number of processes of this machine.
    public var localSize = 1
    /// Where the store is that processes meet at.
    public var host = "127.0.0.1"
    public var port = 29500
    /// Whether the launcher serves the store; otherwise rank 0 does.
    public var launcherServesStore = false
    /// The process of `loopy-train --processes` that has launched this one, which is its parent as long as
    /// it lives.
    public var launcher: Int?
    /// How often the launcher has launched the processes before.
    public var attempt = 0
    /// The network interface that connects the machines; nil for that of the machine's name.
    public var networkInterface: String?

    /// One process, alone.
    public init() {}

    /// - Parameter variables: the environment.
    /// - Throws: `LoopyError` `.configuration` that names the variable that is missing or wrong.
    public init(_ variables: [String: String]) throws(LoopyError) {
        let reader = VariableReader(variables)
        if variables["RANK"] != nil, variables["WORLD_SIZE"] != nil {
            try readTorchrun(reader)
        } else if variables["SLURM_STEP_ID"] != nil, variables["SLURM_PROCID"] != nil {
            // A batch script itself has SLURM_PROCID too, and no step.
            try readSlurm(reader)
        } else if variables["OMPI_COMM_WORLD_RANK"] != nil {
            try readOpenMPI(reader)
        }
        networkInterface = variables["GLOO_SOCKET_IFNAME"]
        guard size >= 1, 0..<size ~= rank, localSize >= 1, 0..<localSize ~= localRank,
            localSize <= size
        else {
            throw LoopyError(
                .configuration,
                "the environment names rank \(rank) of \(size), \(localRank) of \(localSize) on this "
                    + "machine: ranks count from 0")
        }
    }

    /// The variables of a process of this machine, for a launcher that serves the store.
    ///
    /// - Parameter launcher: the launcher's process.
    public static func variables(
        rank: Int, size: Int, port: Int, launcher: Int
    ) -> [String: String] {
        [
            "RANK": "\(rank)", "WORLD_SIZE": "\(size)", "LOCAL_RANK": "\(rank)",
            "LOCAL_WORLD_SIZE": "\(size)", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)",
            "TORCHELASTIC_USE_AGENT_STORE": "True", "LOOPY_LAUNCHER": "\(launcher)",
        ]
    }

    private mutating func readTorchrun(_ reader: VariableReader) throws(LoopyError) {
        rank = try reader.number("RANK")
        size = try reader.number("WORLD_SIZE")
        host = try reader.text("MASTER_ADDR", unless: size == 1) ?? host
        port = try reader.number("MASTER_PORT", or: port)
        let isLocal = ["127.0.0.1", "localhost", "::1"].contains(host)
        localRank = try reader.number("LOCAL_RANK", or: isLocal ? rank : 0)
        localSize = try reader.number("LOCAL_WORLD_SIZE", or: isLocal ? size : localRank + 1)
        launcherServesStore = reader.variables["TORCHELASTIC_USE_AGENT_STORE"] == "True"
        attempt = try reader.number("TORCHELASTIC_RESTART_COUNT", or: 0)
        if launcherServesStore, reader.variables["LOOPY_LAUNCHER"] != nil {
            launcher = try reader.number("LOOPY_LAUNCHER")
        }
    }

    private mutating func readSlurm(_ reader: VariableReader) throws(LoopyError) {
        let tasks = try reader.number("SLURM_NTASKS", or: 1)
        size = try reader.number("SLURM_STEP_NUM_TASKS", or: tasks)
        rank = try reader.number("SLURM_PROCID")
        localRank = try reader.number("SLURM_LOCALID", or: 0)
        let nodes = try reader.number("SLURM_STEP_NUM_NODES", or: 1)
        localSize = max(localRank + 1, (size + nodes - 1) / max(1, nodes))
        guard size > 1 else { return }
        // Rank 0 is on the first node of the step.
        let nodeList = reader.variables["SLURM_STEP_NODELIST"].map(Self.firstNode)
        let known =
            reader.variables["MASTER_ADDR"] ?? (nodes == 1 ? host : nodeList)
            ?? reader.variables["SLURM_LAUNCH_NODE_IPADDR"]
        guard let known else {
            throw LoopyError(
                .configuration,
                "srun: neither MASTER_ADDR nor SLURM_STEP_NODELIST says where rank 0 runs; export "
                    + "MASTER_ADDR with the name of the first node")
        }
        host = known
        // Steps that share a machine differ in their ports.
        let job = try reader.number("SLURM_JOB_ID", or: 0)
        let step = try reader.number("SLURM_STEP_ID", or: 0)
        port = try reader.number("MASTER_PORT", or: 20_000 + (job % 9973 * 31 + step) % 20_000)
    }

    private mutating func readOpenMPI(_ reader: VariableReader) throws(LoopyError) {
        rank = try reader.number("OMPI_COMM_WORLD_RANK")
        size = try reader.number("OMPI_COMM_WORLD_SIZE")
        localRank = try reader.number("OMPI_COMM_WORLD_LOCAL_RANK", or: 0)
        localSize = try reader.number("OMPI_COMM_WORLD_LOCAL_SIZE", or: 1)
        host = try reader.text("MASTER_ADDR", unless: localSize == size) ?? host
        port = try reader.number("MASTER_PORT", or: port)
    }

    /// The first name of a list of Slurm's: `node[03-05,9],other` begins with `node03`.
    package static func firstNode(_ list: String) -> String {
        guard let bracket = list.firstIndex(of: "["),
            !list[..<bracket].contains(",")
        else { return String(list.prefix { $0 != "," }) }
        let inner = list[list.index(after: bracket)...].prefix { !"-,]".contains($0) }
        let rest = list[bracket...].drop { $0 != "]" }.dropFirst().prefix { $0 != "," }
        return String(list[..<bracket]) + inner + rest
    }
}

/// Reads variables of the environment, and says which is wrong.
private struct VariableReader {
    let variables: [String: String]

    init(_ variables: [String: String]) { self.variables = variables }

    func number(_ name: String, or standard: Int? = nil) throws(LoopyError) -> Int {
        guard let text = variables[name] else {
            if let standard { return standard }
            throw LoopyError(.configuration, "\(name): is missing in the environment")
        }
        guard let number = Int(text), number >= 0 else {
            throw LoopyError(
                .configuration, "\(name): '\(text)' in the environment is not a whole number")
        }
        return number
    }

    /// - Parameter isNeedless: whether it may be missing.
    func text(_ name: String, unless isNeedless: Bool) throws(LoopyError) -> String? {
        if let text = variables[name], !text.isEmpty { return text }
        guard isNeedless else {
            throw LoopyError(
                .configuration,
                "\(name): is missing in the environment; export the name of rank 0's machine")
        }
        return nil
    }
}
