"""Runs Clusters/ray/loopy_ray.py on a cluster of three nodes here, and removes one when a unit is built.

    python test-ray.py DATASET ARGUMENTS...      what `loopy work` takes
"""

import glob
import runpy
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

LAUNCHER = Path(__file__).parent.parent / "Clusters/ray/loopy_ray.py"


def main() -> int:
    dataset, *arguments = sys.argv[1:]
    cluster = Cluster()
    # The head only watches.
    cluster.add_node(num_cpus=0)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
    ray.init(address=cluster.address)
    # A driver whose node is removed is gone, and already where that is tried. It may be any node's.
    own = ray.get_runtime_context().get_node_id()
    sockets = [node["RayletSocketName"] for node in ray.nodes() if node["NodeID"] == own]
    lost = next(node for node in nodes if node.raylet_socket_name not in sockets)

    def lose_a_node():
        while not any("unit" in Path(name).read_text() for name in glob.glob(f"{dataset}/.work/log/*.jsonl")):
            time.sleep(0.1)
        cluster.remove_node(lost, allow_graceful=False)
        print("a node is removed", file=sys.stderr)

    thread = threading.Thread(target=lose_a_node, daemon=True)
    thread.start()
    sys.argv = [str(LAUNCHER), "--slots", "3", "--", *arguments]
    try:
        runpy.run_path(str(LAUNCHER), run_name="__main__")
    except SystemExit as end:
        return end.code
    finally:
        thread.join()
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
