import Errors
import Testing
import Torch

@Suite struct LaunchEnvironmentTests {
    @Test func withoutALauncherThereIsOneProcess() throws {
        let alone = try LaunchEnvironment(["PATH": "/bin"])
        #expect((alone.rank, alone.size, alone.localSize) == (0, 1, 1))
        // A batch script of Slurm's is no step.
        let script = try LaunchEnvironment([
            "SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "7",
        ])
        #expect(script.size == 1)
    }

    @Test func torchrunSaysAll() throws {
        let launch = try LaunchEnvironment([
            "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
            "MASTER_ADDR": "node1", "MASTER_PORT": "2345", "TORCHELASTIC_RESTART_COUNT": "2",
            "TORCHELASTIC_USE_AGENT_STORE": "True", "GLOO_SOCKET_IFNAME": "ib0",
        ])
        #expect((launch.rank, launch.size, launch.localRank, launch.localSize) == (5, 8, 1, 4))
        #expect((launch.host, launch.port, launch.attempt) == ("node1", 2345, 2))
        #expect(launch.launcherServesStore && launch.networkInterface == "ib0")
    }

    @Test func loopysOwnLauncherIsReadBack() throws {
        let launch = try LaunchEnvironment(
            LaunchEnvironment.variables(rank: 1, size: 2, port: 4000, launcher: 1))
        #expect((launch.rank, launch.size, launch.localRank, launch.localSize) == (1, 2, 1, 2))
        #expect((launch.host, launch.port) == ("127.0.0.1", 4000))
        #expect(launch.launcherServesStore && launch.launcher == 1)
    }

    @Test func srunSaysWhereRankZeroIs() throws {
        var variables = [
            "SLURM_STEP_ID": "3", "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8",
            "SLURM_NTASKS": "16", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_NODES": "2",
            "SLURM_JOB_ID": "1234", "SLURM_STEP_NODELIST": "gpu[07-08]",
        ]
        let launch = try LaunchEnvironment(variables)
        #expect((launch.rank, launch.size, launch.localRank, launch.localSize) == (5, 8, 1, 4))
        #expect(launch.host == "gpu07" && !launch.launcherServesStore)
        variables["SLURM_PROCID"] = "0"
        #expect(try LaunchEnvironment(variables).port == launch.port)
        variables["SLURM_STEP_ID"] = "4"
        #expect(try LaunchEnvironment(variables).port != launch.port)
        variables["SLURM_STEP_NODELIST"] = nil
        #expect(throws: LoopyError.self) { try LaunchEnvironment(variables) }
        variables["MASTER_ADDR"] = "head"
        #expect(try LaunchEnvironment(variables).host == "head")
    }

    @Test(arguments: [
        ("a", "a"), ("a,b", "a"), ("a[1-3]", "a1"), ("a[03,05-07],b2", "a03"),
        ("x1,y[2-3]", "x1"), ("r[1-2]n", "r1n"),
    ])
    func theFirstNodeOfAListIsFound(list: String, first: String) {
        #expect(LaunchEnvironment.firstNode(list) == first)
    }

    @Test func mpirunOfOneMachineNeedsNoAddress() throws {
        var variables = [
            "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2",
            "OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
        ]
        let launch = try LaunchEnvironment(variables)
        #expect((launch.rank, launch.size, launch.host) == (1, 2, "127.0.0.1"))
        variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1"
        variables["OMPI_COMM_WORLD_LOCAL_RANK"] = "0"
        let error = #expect(throws: LoopyError.self) { try LaunchEnvironment(variables) }
        #expect(error?.message.contains("MASTER_ADDR") == true)
    }

    @Test func whatCannotBeIsSaid() {
        for (rank, size) in [("2", "2"), ("x", "2"), ("0", "0"), ("-1", "2")] {
            #expect(throws: LoopyError.self, "\(rank) of \(size)") {
                try LaunchEnvironment([
                    "RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1",
                ])
            }
        }
    }
}
