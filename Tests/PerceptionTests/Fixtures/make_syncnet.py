"""Writes what SyncNet makes of sound and pictures, for the tests of the lip-sync measure.

    python3 -m venv /tmp/venv
    /tmp/venv/bin/pip install torch numpy scipy python_speech_features opencv-python-headless av
    /tmp/venv/bin/python Tests/PerceptionTests/Fixtures/make_syncnet.py

The network and the arithmetic are those of Benchmarks/syncnet.py; the weights are random, for the
published ones may not be passed on. Into syncnet/ beside this script, committed:

    speech.npy        int16 [S]: a second of .deps/samples/obama_speech.mp4 (a public-domain address)
    mfcc.npy          float32 [13, T]: python_speech_features of it
    syncnet_v2.model  the network with a sixteenth of its channels, in the old format of torch.save
    lips.npy          float32 [6, 64]: embeddings of the pictures of `pattern`
    sounds.npy        float32 [6, 64]: embeddings of speech.npy
    pairs-*.npy       float32 [2, N, 16]: embeddings of lips and sound that fit at some offset
    scores.json       their offset, confidence and distance, also over the inner windows alone

    … make_syncnet.py --real DIR --video FILE

writes DIR/syncnet_v2.model, random weights of full size, and what the network makes of a 224x224
video of 25 fps, for checks by hand: embeddings of the very pixels that the decoder gives (lips.npy,
sounds.npy), and scores.json of these and of the published way through JPEG files.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import av
import numpy
import python_speech_features
import torch

here = pathlib.Path(__file__).parent
root = here.parents[2]
sys.path.insert(0, str(root / "Benchmarks"))

import syncnet

SAMPLES = 17_000
FRAMES = 10
WIDTH = 16


def pattern(frames):
    """Pictures [1, 3, T, 224, 224] that Swift can make too: BGR, whole numbers from 0 to 255."""
    c, t, y, x = numpy.ogrid[:3, :frames, :224, :224]
    return torch.from_numpy(
        ((x * (3 + c) + y * (5 + 2 * t) + x * y // (17 + c) + 31 * t + 67 * c) % 256)[None]).float()


def random_network(width):
    """Random weights of which every layer's values have a spread of about one, so that a mistake
    anywhere shows. Batch norms get the statistics of the pattern and the speech, disturbed."""
    torch.manual_seed(20 + width)
    network = syncnet.SyncNet(width)
    assert width > 1 or sum(p.numel() for p in network.parameters()) == 13_631_616
    norms = [module for module in network.modules() if hasattr(module, "running_mean")]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.3)
        network.train()
        syncnet.embeddings(network, pattern(FRAMES), syncnet.mfcc(speech()), FRAMES - 4)
        network.eval()
        for norm in norms:
            norm.running_mean += 0.3 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.6, 1.5)
    return network


def speech():
    path = here / "syncnet/speech.npy"
    if not path.exists():
        command = ["ffmpeg", "-v", "error", "-i", root / ".deps/samples/obama_speech.mp4", "-ac", "1"]
        command += ["-ar", "16000", "-f", "s16le", "-"]
        samples = subprocess.run(command, stdout=-1, check=True).stdout
        numpy.save(path, numpy.frombuffer(samples, numpy.int16)[:SAMPLES])
    return numpy.load(path)


def scores(lips, sounds):
    """Over all windows, and over those whose 31 sounds are all in the recording."""
    table = syncnet.distances(lips, sounds)
    inner = table[syncnet.SHIFTS:-syncnet.SHIFTS]
    return {**syncnet.score(table), "interior": syncnet.score(inner) if len(inner) else None}


def pairs(windows, offset):
    """Sound, and lips that fit it `offset` windows later, with noise."""
    generator = numpy.random.default_rng(windows)
    sounds = generator.normal(size=(windows, 16)).cumsum(0)
    places = numpy.clip(numpy.arange(windows) - offset, 0, windows - 1)
    lips = sounds[places] + generator.normal(size=(windows, 16))
    return torch.from_numpy(lips).float(), torch.from_numpy(sounds).float()


def decoded_pixels(video):
    """Frames as the decoder gives them, without the rounding and the JPEG of the published way: Y'CbCr
    4:2:0 of BT.601, the nearest chroma sample."""
    frames = []
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            assert (frame.width, frame.height, frame.format.name) == (224, 224, "yuv420p")
            planes = frame.to_ndarray().astype(numpy.float64)
            luma = (planes[:224] - 16) * 255 / 219
            blue, red = (
                (plane.reshape(112, 112).repeat(2, 0).repeat(2, 1) - 128) * 255 / 224
                for plane in (planes[224:280], planes[280:]))
            green = luma - 0.114 * 1.772 / 0.587 * blue - 0.299 * 1.402 / 0.587 * red
            frames.append(numpy.stack([luma + 1.772 * blue, green, luma + 1.402 * red]).clip(0, 255))
    return torch.from_numpy(numpy.stack(frames, axis=1)[None]).float()


def write_small():
    (here / "syncnet").mkdir(exist_ok=True)
    features = python_speech_features.mfcc(speech(), 16000)
    numpy.save(here / "syncnet/mfcc.npy", numpy.ascontiguousarray(features.T, numpy.float32))
    network = random_network(WIDTH)
    torch.save(network.state_dict(), here / "syncnet/syncnet_v2.model",
               _use_new_zipfile_serialization=False)
    lips, sounds = syncnet.embeddings(
        network, pattern(FRAMES), syncnet.mfcc(speech()), FRAMES - 4)
    numpy.save(here / "syncnet/lips.npy", lips.numpy())
    numpy.save(here / "syncnet/sounds.npy", sounds.numpy())
    found = {}
    for windows, offset in ((60, 3), (45, -7), (33, 0), (9, 2)):
        lips, sounds = pairs(windows, offset)
        name = f"pairs-{windows}"
        numpy.save(here / f"syncnet/{name}.npy", torch.stack([lips, sounds]).numpy())
        found[name] = scores(lips, sounds)
    (here / "syncnet/scores.json").write_text(json.dumps(found, indent=1) + "\n")


def write_real(folder, video):
    folder.mkdir(parents=True, exist_ok=True)
    network = random_network(1)
    torch.save(network.state_dict(), folder / "syncnet_v2.model",
               _use_new_zipfile_serialization=False)
    with tempfile.TemporaryDirectory() as temporary:
        published, samples = syncnet.decoded(video, temporary)
    found = {}
    for name, frames in (("published", published), ("pixels", decoded_pixels(video))):
        windows = min(frames.shape[2], len(samples) // 640) - 5
        with torch.no_grad():
            lips, sounds = syncnet.embeddings(network, frames, syncnet.mfcc(samples), windows)
        found[name] = {"windows": windows, **scores(lips, sounds)}
    numpy.save(folder / "lips.npy", lips.numpy())
    numpy.save(folder / "sounds.npy", sounds.numpy())
    (folder / "scores.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


parser = argparse.ArgumentParser()
parser.add_argument("--real", type=pathlib.Path)
parser.add_argument("--video", type=pathlib.Path)
arguments = parser.parse_args()
if arguments.real:
    write_real(arguments.real, arguments.video)
else:
    write_small()
