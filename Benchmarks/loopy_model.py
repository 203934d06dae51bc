"""Loopy's networks in PyTorch: what its model's speed is compared with.

    python Benchmarks/loopy_model.py forward|step

The reference that the model's tests use, as it stands, in the preset `tiny`: a clip of 12 frames and its 20
motion frames, latents of 32x32, float32, two threads, random weights. Prints JSON: `forward_s`, a median
without gradients, or `step_s`, one of the loss and the gradient of every parameter; and `peak_mib`, of
the process.
"""

import json
import pathlib
import resource
import statistics
import sys
import time

import torch

sys.path.append(str(
    pathlib.Path(__file__).resolve().parent.parent / "Tests/LoopyModelTests/Fixtures"))
from loopy_reference import TINY, Loopy, Masks, motion_count  # noqa: E402

RUNS = 5


def draw_inputs(config, size=32):
    frames, channels = config["frames"], config["latent_channels"]
    motion = motion_count(config)
    return (
        torch.randn(1, frames, channels, size, size), torch.tensor([500.0]),
        torch.randn(1, channels, size, size), torch.randn(1, motion, channels, size, size),
        torch.ones(1, motion, dtype=torch.bool),
        torch.randn(1, frames, 5, config["speech_layers"], config["speech_channels"]),
        torch.rand(1, frames, 68, 2), torch.tensor([1e-4]), torch.tensor([1e-5]),
        torch.tensor([0]), Masks.none(1),
    )


def main():
    what = sys.argv[1]
    torch.set_num_threads(2)
    torch.manual_seed(0)
    network = Loopy(TINY)
    inputs = draw_inputs(TINY)
    target = torch.randn_like(inputs[0])

    def forward():
        with torch.inference_mode():
            network(*inputs)

    def step():
        network.zero_grad()
        torch.nn.functional.mse_loss(network(*inputs), target).backward()

    measured = {"forward": forward, "step": step}[what]
    seconds = []
    for _ in range(1 + RUNS):
        started = time.monotonic()
        measured()
        seconds.append(time.monotonic() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({f"{what}_s": statistics.median(seconds[1:]), "peak_mib": peak}))


main()
