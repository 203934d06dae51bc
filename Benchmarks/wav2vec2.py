"""wav2vec2-base by transformers: what users run today to get speech features.

    python Benchmarks/wav2vec2.py FOLDER WAV beforeEncoder|afterEncoder

FOLDER gets random weights of wav2vec2-base where it has none. Prints JSON: `seconds` of the second of two
runs over the file, after imports and loading.
"""

import json
import math
import pathlib
import sys
import time
import wave

import numpy
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model


def features(network, samples, alignment):
    """[T, 13, 768], a row for each frame of 1/25 s."""
    frames = math.ceil(samples.shape[1] / 640)

    def at_video_rate(values):
        return torch.nn.functional.interpolate(
            values, size=frames, mode="linear", align_corners=True).transpose(1, 2)

    if alignment == "afterEncoder":
        states = network(samples, output_hidden_states=True).hidden_states
        return torch.stack([at_video_rate(state.transpose(1, 2)) for state in states], dim=2)[0]
    latents = at_video_rate(network.feature_extractor(samples))
    states = []
    layers = network.encoder.layers
    hooks = [layers[0].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))]
    hooks += [layer.register_forward_hook(lambda _, __, output: states.append(output[0]))
              for layer in layers]
    network.encoder(network.feature_projection(latents)[0])
    for hook in hooks:
        hook.remove()
    return torch.stack([state.reshape(frames, -1) for state in states], dim=1)


def main():
    folder, recording, alignment = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(folder)
    network = Wav2Vec2Model.from_pretrained(folder).eval()
    with wave.open(recording) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2").astype("float32") / 32768
    samples = torch.from_numpy((samples - samples.mean()) / numpy.sqrt(samples.var() + 1e-7))[None]
    with torch.no_grad():
        for _ in range(2):
            started = time.monotonic()
            found = features(network, samples, alignment)
            seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "shape": list(found.shape)}))


main()
