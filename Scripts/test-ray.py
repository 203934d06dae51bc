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
    # The head only watches: a driver whose node is removed is gone.
    cluster.add_node(num_cpus=0)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
    ray.init(address=cluster.address)

    def lose_a_node():
        while not any("unit" in Path(name).read_text() for name in glob.glob(f"{dataset}/.work/log/*.jsonl")):
            time.sleep(0.1)
        for node in nodes:
            try:
                cluster.remove_node(node, allow_graceful=False)
            except ValueError:
                continue  # the one that this driver is connected to
            print("a node is removed", file=sys.stderr)
            return

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
