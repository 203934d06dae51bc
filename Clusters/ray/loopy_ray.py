#!/usr/bin/env python3
"""Curation on a Ray cluster whose nodes share the dataset's folder: a task for each slot.

    python loopy_ray.py --slots 64 --cpus 2 -- PIPELINE.yaml --dataset /shared/D --input /shared/videos

Ray starts nodes for tasks that wait, where its autoscaler is on, and starts a task again that lost its node;
other workers have taken over its unit meanwhile. A worker ends with its task. LOOPY names the executable.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys

import ray

TRIES = 3
FATAL = {64: "a setting cannot be used", 65: "the dataset does not fit", 74: "output cannot be written"}


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def work(arguments: list[str], threads: int) -> str:
    """Runs a worker until nothing is left; returns the last line that it printed, or what went wrong."""
    command = [os.environ.get("LOOPY", "loopy"), "work", *arguments]
    command += ["--workers", "1", "--set", f"run.threads={threads}"]
    for _ in range(TRIES):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        if done.returncode == 0:
            return done.stdout.rstrip().rsplit("\n", 1)[-1]
        if done.returncode in FATAL:
            break
    return f"failed: {FATAL.get(done.returncode, 'a worker ended')} (exit status {done.returncode})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=0, help="workers; as many as the cluster has room for when left out")
    parser.add_argument("--cpus", type=int, default=1, help="CPUs of a worker")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a worker")
    parser.add_argument("--address", default="auto", help="the cluster's; 'local' starts one here")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="-- and what 'loopy work' takes")
    options = parser.parse_args()
    arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    if not arguments:
        parser.error("give what 'loopy work' takes behind --")
    if not ray.is_initialized():
        ray.init(address=options.address)
    slots = options.slots or max(1, int(ray.cluster_resources().get("CPU", 1)) // options.cpus)
    task = ray.remote(work).options(
        num_cpus=options.cpus, num_gpus=options.gpus, max_retries=-1)
    waiting = [task.remote(arguments, options.cpus) for _ in range(slots)]
    while waiting:
        [done], waiting = ray.wait(waiting)
        said = ray.get(done)
        if said.startswith("failed"):
            for other in waiting:
                ray.cancel(other, force=True)
            print(said, file=sys.stderr)
            return 1
    print("complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
