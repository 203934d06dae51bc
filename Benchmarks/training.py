"""Training the model `tiny` on shards as users do it today, with webdataset, numpy and PyTorch: what
loopy-train is compared with.

    python Benchmarks/training.py train SHARDS STAGE STEPS
    python Benchmarks/training.py windows SHARDS COUNT

`train` does the work of Pipelines/train-tiny-stage1.yaml or train-tiny-stage2.yaml (STAGE 1 or 2) with the
reference model that the tests use, and prints JSON: `steps_per_second`, a list of means over ten steps
each, as loopy-train's metrics.jsonl has them, and `loss`, that of the last ten. `windows` only reads the
second stage's windows: `windows_per_second`. Training has two threads; reading has one, as loaders give
their workers, because the pieces are too small to be shared out.

A window is 12 frames of a clip, the 20 motion frames that stand for the 124 before it, a random frame as
the reference, speech features of five frames around each, key points and variances. Only what a window
needs becomes float32, and only the members that hold it are taken out of the shards.
"""

import json
import math
import pathlib
import random
import sys
import time

import numpy
import torch
import webdataset
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import default_collate

sys.path.append(str(
    pathlib.Path(__file__).resolve().parent.parent / "Tests/LoopyModelTests/Fixtures"))
from loopy_reference import (  # noqa: E402
    TINY, DenoisingNet, Loopy, Masks, ReferenceNet, motion_count)

LOG_EVERY = 10
FRAMES = TINY["frames"]
WINDOWS_PER_CLIP = 4
SIDE = 512  # pixels of a crop, which key points count in
MEMBERS = ("latents.npy", "speech.npy", "keypoints.npy", "motion.npy")
# The main process reads: on two cores a worker takes its time from the model.
WORKERS = 0


# ---- Windows -------------------------------------------------------------------------------------
def stream(folder, members, frames, shuffle):
    """Samples with the clip's arrays and where the window begins in them, without end."""
    shards = sorted(map(str, pathlib.Path(folder).glob("train-*.tar")))

    def cut(clips):
        for clip in clips:
            places = len(clip["latents.npy"]) - frames + 1
            for _ in range(WINDOWS_PER_CLIP if places > 0 else 0):
                yield clip, random.randrange(places)

    return (
        webdataset.WebDataset(
            shards, shardshuffle=len(shards), select_files=lambda name: name.endswith(members))
        .decode().compose(cut).shuffle(shuffle, initial=shuffle // 8).repeat())


def single_frame(drawn):
    """What the first stage sees: [1, C, h, w] and its reference [C, h, w]."""
    clip, start = drawn
    latents = clip["latents.npy"]
    return {"latents": float32(latents[start:start + 1]),
            "reference": float32(latents[random.randrange(len(latents))])}


def window(drawn):
    """What the second stage sees."""
    clip, start = drawn
    latents, speech = clip["latents.npy"], clip["speech.npy"]
    head_motion, expression = clip["motion.npy"][start]
    frames = numpy.arange(start, start + FRAMES)
    around = (frames[:, None] + numpy.arange(-2, 3)).clip(0, len(speech) - 1)
    motion, presence = motion_frames(latents[max(0, start - 124):start])
    return {
        "latents": float32(latents[start:start + FRAMES]),
        "reference": float32(latents[random.randrange(len(latents))]),
        "motion": motion, "presence": presence, "speech": float32(speech[around]),
        "landmarks": float32(clip["keypoints.npy"][frames, :, :2] / SIDE),
        "head_motion": head_motion, "expression": expression,
    }


def motion_frames(history):
    """[M, C, h, w], the nearest first, of the frames before a window, and which are there: the middle one of
    each of four parts of segments of 4, 8, 16, 32 and 64 frames."""
    segments, count, start = TINY["segments"], motion_count(TINY), 0
    offsets = []
    for index in range(count):
        length = segments["ratio"] ** (index // segments["stride"])
        end = min(start + length, len(history))
        if start < end:
            offsets.append(start + (end - start) // 2)
        start += length
    frames = torch.zeros(count, *history.shape[1:])
    frames[:len(offsets)] = torch.from_numpy(history[[-1 - offset for offset in offsets]])
    return frames, torch.arange(count) < len(offsets)


def float32(array):
    return torch.from_numpy(array).float()


def loader(samples):
    return iter(webdataset.WebLoader(samples, batch_size=None, num_workers=WORKERS))


# ---- Training ------------------------------------------------------------------------------------
class FirstStage(nn.Module):
    """The two nets without what belongs to time and to sound."""

    def __init__(self, config):
        super().__init__()
        self.reference_net = ReferenceNet(config)
        self.denoising_net = DenoisingNet(config)
        for module in list(self.denoising_net.modules()):
            for name in ("inter_clip", "intra_clip", "audio_norm", "audio_attn"):
                if hasattr(module, name):
                    delattr(module, name)

    def forward(self, latents, timesteps, reference, dropped):
        """Noise [B, C, h, w] predicted of latents of that shape."""
        net = self.denoising_net
        embedding = net.embed(timesteps)
        features = iter(self.reference_net(reference, None))

        def layer(block, index, x):
            spatial, _ = next(features)
            x = block.resnets[index](x, embedding)
            return block.attentions[index](x, spatial, ~dropped, None)[0]

        x = net.walk(latents, embedding, layer)
        return net.conv_out(functional.silu(net.conv_norm_out(x)))


def signal():
    """ᾱ by timestep: Stable Diffusion's schedule."""
    betas = torch.linspace(math.sqrt(0.00085), math.sqrt(0.012), 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def loss_of(model, batch, alphas):
    latents = batch["latents"]
    count = len(latents)
    noise = torch.randn_like(latents)
    timesteps = torch.randint(len(alphas), (count,))
    alpha = alphas[timesteps][:, None, None, None, None]
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    drawn = torch.rand(4, count)
    masks = Masks(audio=drawn[0] < 0.1, motion_latents=drawn[1] < 0.1, reference=drawn[2] < 0.15,
                  motion_frames=drawn[3] < 0.4)
    if isinstance(model, FirstStage):
        predicted = model(noisy[:, 0], timesteps, batch["reference"], masks.reference)[:, None]
    else:
        seen = batch["presence"] & ~(masks.motion_frames | masks.reference)[:, None]
        # Where none is seen, none is computed.
        motion = batch["motion"] if seen.any() else None
        predicted = model(
            noisy, timesteps, batch["reference"], motion, batch["presence"], batch["speech"],
            batch["landmarks"], batch["head_motion"], batch["expression"], torch.randint(4, (count,)),
            masks)
    return functional.mse_loss(predicted, noise)


def train(folder, stage, steps):
    if stage == 1:
        model, rate, batch = FirstStage(TINY), 1e-3, 8
        samples = stream(folder, MEMBERS[:1], 1, shuffle=64).map(single_frame)
    else:
        model, rate, batch = Loopy(TINY), 5e-4, 1
        samples = stream(folder, MEMBERS, FRAMES, shuffle=32).map(window)
    batches = loader(samples.batched(batch, collation_fn=default_collate))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2, fused=True)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 20))
    averages = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    alphas = signal()

    rates, losses = [], []
    for _ in range(steps // LOG_EVERY):
        losses = []
        started = time.monotonic()
        for _ in range(LOG_EVERY):
            loss = loss_of(model, next(batches), alphas)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            warm_up.step()
            averages.update_parameters(model)
            losses.append(loss.item())
        rates.append(LOG_EVERY / (time.monotonic() - started))
    return {"steps_per_second": rates, "loss": sum(losses) / LOG_EVERY}


def read(folder, count):
    torch.set_num_threads(1)
    samples = loader(stream(folder, MEMBERS, FRAMES, shuffle=32).map(window))
    next(samples)
    started = time.monotonic()
    for _ in range(count):
        next(samples)
    return {"windows_per_second": count / (time.monotonic() - started)}


def main():
    torch.set_num_threads(2)
    torch.manual_seed(0)
    random.seed(0)
    what, folder, *numbers = sys.argv[1:]
    print(json.dumps({"train": train, "windows": read}[what](folder, *map(int, numbers))))


main()
