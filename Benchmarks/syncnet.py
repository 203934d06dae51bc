"""SyncNet as it is published: what users run to score lip-sync, and what Loopy's scores are held to.

    python Benchmarks/syncnet.py syncnet_v2.model VIDEO [--threads N]
    python Benchmarks/syncnet.py --random FILE        writes random weights of full size

The network and the procedure of github.com/joonson/syncnet_python (SyncNetModel.py,
SyncNetInstance.py): ffmpeg writes every frame as a JPEG and the sound as a WAV; OpenCV reads the
frames; batches of 20 windows; gradients are recorded, as they are there. VIDEO must be 224x224 at
25 fps. Prints JSON; `seconds` begins when the network is loaded, and `network` is the part of it
that embeds and compares.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import cv2
import numpy
import python_speech_features
import torch
from scipy.io import wavfile
from torch import nn

SHIFTS = 15
BATCH = 20


class SyncNet(nn.Module):
    """The published network; `width` divides its channels for small fixtures."""

    def __init__(self, width=1):
        super().__init__()
        c64, c96, c192, c256, c384, c512, c1024 = (
            count // width for count in (64, 96, 192, 256, 384, 512, 1024))

        def convolution(inputs, outputs, kernel, **options):
            kind = (nn.Conv2d, nn.BatchNorm2d) if len(kernel) == 2 else (nn.Conv3d, nn.BatchNorm3d)
            return [kind[0](inputs, outputs, kernel, **options), kind[1](outputs), nn.ReLU(inplace=True)]

        def head():
            return nn.Sequential(
                nn.Linear(c512, c512), nn.BatchNorm1d(c512), nn.ReLU(), nn.Linear(c512, c1024))

        self.netcnnaud = nn.Sequential(
            *convolution(1, c64, (3, 3), padding=1), nn.MaxPool2d(1, 1),
            *convolution(c64, c192, (3, 3), padding=1), nn.MaxPool2d(3, (1, 2)),
            *convolution(c192, c384, (3, 3), padding=1),
            *convolution(c384, c256, (3, 3), padding=1),
            *convolution(c256, c256, (3, 3), padding=1), nn.MaxPool2d(3, 2),
            *convolution(c256, c512, (5, 4)))
        self.netcnnlip = nn.Sequential(
            *convolution(3, c96, (5, 7, 7), stride=(1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *convolution(c96, c256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *convolution(c256, c256, (1, 3, 3), padding=(0, 1, 1)),
            *convolution(c256, c256, (1, 3, 3), padding=(0, 1, 1)),
            *convolution(c256, c256, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *convolution(c256, c512, (1, 6, 6)))
        self.netfcaud, self.netfclip = head(), head()

    def forward_aud(self, mfcc):
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def forward_lip(self, frames):
        return self.netfclip(self.netcnnlip(frames).flatten(1))


def decoded(video, folder):
    """The frames [1, 3, T, H, W] as 0-255 BGR, and the 16-bit samples, by way of files."""
    ffmpeg = ["ffmpeg", "-v", "error", "-y", "-i", str(video)]
    subprocess.run([*ffmpeg, "-threads", "1", "-f", "image2", f"{folder}/%06d.jpg"], check=True)
    subprocess.run([*ffmpeg, "-async", "1", "-ac", "1", "-vn", "-acodec", "pcm_s16le", "-ar",
                    "16000", f"{folder}/audio.wav"], check=True)
    images = [cv2.imread(str(path)) for path in sorted(pathlib.Path(folder).glob("*.jpg"))]
    stacked = numpy.transpose(numpy.stack(images, axis=3)[None], (0, 3, 4, 1, 2))
    return torch.from_numpy(stacked.astype(float)).float(), wavfile.read(f"{folder}/audio.wav")[1]


def mfcc(samples):
    """[1, 1, 13, N], 100 a second."""
    features = python_speech_features.mfcc(samples, 16000)
    return torch.from_numpy(features.T[None, None].astype(float)).float()


def embeddings(network, frames, features, windows):
    """Of every window's lips and sound, each [windows, 1024]."""
    lips, sounds = [], []
    for start in range(0, windows, BATCH):
        batch = range(start, min(windows, start + BATCH))
        lips.append(network.forward_lip(torch.cat([frames[:, :, i:i + 5] for i in batch])).data)
        sounds.append(network.forward_aud(
            torch.cat([features[..., i * 4:i * 4 + 20] for i in batch])).data)
    return torch.cat(lips), torch.cat(sounds)


def distances(lips, sounds):
    """[windows, 31]: from each window's lips to the sounds that stand up to 15 frames apart."""
    padded = nn.functional.pad(sounds, (0, 0, SHIFTS, SHIFTS))
    return torch.stack([
        nn.functional.pairwise_distance(
            lips[[i]].repeat(2 * SHIFTS + 1, 1), padded[i:i + 2 * SHIFTS + 1])
        for i in range(len(lips))])


def score(table):
    """Offset, confidence and distance of rows of `distances`."""
    means = table.mean(0)
    least, place = means.min(0)
    return {"offset": SHIFTS - place.item(), "confidence": (means.median() - least).item(),
            "distance": least.item()}


def load(path):
    network = SyncNet().eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="?")
    parser.add_argument("video", nargs="?")
    parser.add_argument("--random")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    if arguments.random:
        torch.manual_seed(0)
        torch.save(SyncNet().state_dict(), arguments.random)
        return
    torch.set_num_threads(arguments.threads)
    network = load(arguments.weights)
    assert sum(parameter.numel() for parameter in network.parameters()) == 13_631_616

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        frames, samples = decoded(arguments.video, folder)
    features = mfcc(samples)
    read = time.monotonic()
    count = min(frames.shape[2], len(samples) // 640)
    lips, sounds = embeddings(network, frames, features, count - 5)
    result = score(distances(lips, sounds))
    ended = time.monotonic()
    print(json.dumps({"frames": count, "windows": count - 5, **result,
                      "seconds": ended - started, "network": ended - read}))


if __name__ == "__main__":
    main()
