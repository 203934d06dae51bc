#!/usr/bin/env python3
"""By how many frames the sound of clips is early, found without the network: what counts as right when it is tried.

    linear.py --fit DATASET CLIPS.tsv --of DATASET > CHECK.tsv

Both datasets are measured by loopy-measure. How far the mouth is open is predicted from log-mel spectra by ridge
regression, fitted on the clips to train on of CLIPS.tsv, whose offsets are known; the offset of another clip is the one
at which prediction and mouth correlate best. It counts where it is clear (at least 1.5 times the next best that is
further than 3 frames away) and not beyond 8 frames; other clips count as in step. numpy; ffmpeg reads the sound.
"""
import argparse
import collections
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

import numpy as np

RATE, FRAME = 16000, 640  # 25 frames a second
OPENING = 12              # the column of .track.npy
CONTEXT = 5               # frames of sound on either side
REACH, FURTHEST, CLEAR = 15, 8, 1.5
RIDGE = 300


def tracks(dataset):
    """The first frame and the mouth's opening of every candidate, by the source's path."""
    dataset = pathlib.Path(dataset)
    with open(dataset / "sources.jsonl") as lines:
        paths = {source["digest"]: source["path"] for source in map(json.loads, lines)}
    found = collections.defaultdict(list)
    for file in sorted(dataset.glob("measurements-*/*.jsonl")):
        with tarfile.open(file.with_suffix(".tracks.tar")) as tar, open(file) as lines:
            for one in map(json.loads, lines):
                if one["outcome"] == "candidate" and one["end"] - one["start"] >= 50:
                    name = f"{one['source'][:16]}-{one['start']}-{one['face']}.track.npy"
                    track = np.load(io.BytesIO(tar.extractfile(name).read()))
                    found[paths[one["source"]]].append((one["start"], moving(track[:, OPENING])))
    return found


def moving(values, window=37):
    """What changes within a second and a half, with a deviation of 1."""
    mean = np.convolve(np.pad(values, window // 2, mode="edge"), np.ones(window) / window, "valid")
    values = values - mean[:len(values)]
    return values / (values.std() + 1e-6)


def spectra(path, bands=24):
    """[T, bands]: log-mel spectra of 40 ms, one every 20 ms; the means of a frame's two."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", str(RATE),
               "-af", "aresample=async=1:first_pts=0", "-f", "f32le", "-"]
    sound = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 7500 / 700), bands + 2) / 2595) - 1)
    low, middle, high = (edges[i:bands + i, None] for i in range(3))
    hertz = np.fft.rfftfreq(FRAME, 1 / RATE)
    mel = np.clip(np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)), 0, None)
    padded = np.pad(sound, (FRAME // 4, FRAME))
    steps = len(sound) // FRAME * 2
    pieces = np.stack([padded[i * FRAME // 2:][:FRAME] for i in range(steps)]) * np.hanning(FRAME)
    values = np.log(np.abs(np.fft.rfft(pieces)) ** 2 @ mel.T + 1e-4)
    values = values.reshape(-1, 2, bands).mean(1)
    return (values - values.mean(0)) / (values.std() + 1e-6)


def around(sound, frames):
    """[len(frames), bands * 11]"""
    inside = [np.clip(frames + lag, 0, len(sound) - 1) for lag in range(-CONTEXT, CONTEXT + 1)]
    return np.concatenate([sound[index] for index in inside], 1)


def fitted(dataset, clips):
    """The regression's weights."""
    known = {}
    with open(clips) as lines:
        for line in lines:
            if not line.startswith("#"):
                name, lead, use = line.rstrip("\n").split("\t")
                if use == "train":
                    known[os.path.basename(name)] = int(lead)
    seen, heard = [], []
    for path, candidates in tracks(dataset).items():
        lead = known.get(os.path.basename(path))
        if lead is None:
            continue
        sound = spectra(path)
        for start, opening in candidates:
            seen.append(opening)
            heard.append(around(sound, np.arange(start, start + len(opening)) - lead))
    x, y = np.concatenate(heard), np.concatenate(seen)
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)


def correlations(path, candidates, weights):
    """The correlation at each offset from -15 to 15; positive where the sound is early."""
    sound = spectra(path)
    predicted = around(sound, np.arange(len(sound))) @ weights
    sums = np.zeros((3, 2 * REACH + 1))
    for start, opening in candidates:
        for index, lead in enumerate(range(-REACH, REACH + 1)):
            frames = np.arange(start, start + len(opening)) - lead
            inside = (frames >= 0) & (frames < len(predicted))
            a, b = predicted[frames[inside]], opening[inside]
            sums[:, index] += a @ b, a @ a, b @ b
    return sums[0] / np.sqrt(sums[1] * sums[2] + 1e-9)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", nargs=2, metavar=("DATASET", "CLIPS"), required=True)
    parser.add_argument("--of", metavar="DATASET", required=True)
    options = parser.parse_args()
    weights = fitted(*options.fit)
    for path, candidates in sorted(tracks(options.of).items()):
        try:
            values = correlations(path, candidates, weights)
        except subprocess.CalledProcessError:
            print(f"{os.path.basename(path):28} no sound", file=sys.stderr)
            continue
        best = int(values.argmax())
        offset = best - REACH
        others = max(values[i] for i in range(len(values)) if abs(i - best) > 3)
        is_clear = values[best] >= CLEAR * others and abs(offset) <= FURTHEST
        print(f"{path}\t{offset if is_clear else 0}\tcheck")
        print(f"{os.path.basename(path):28} {offset:+3d}  r {values[best]:.2f}, next {others:.2f}"
              + ("" if is_clear else "  not clear"), file=sys.stderr)


if __name__ == "__main__":
    main()
