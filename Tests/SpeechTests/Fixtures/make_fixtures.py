"""Writes what Hugging Face's wav2vec 2.0 makes of a piece of speech, for the tests of `Speech`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers numpy safetensors
    /tmp/venv/bin/python Tests/SpeechTests/Fixtures/make_fixtures.py

Beside this script, committed:

    speech.npy              int16 [S], 16 kHz: seconds of .deps/samples/obama_speech.mp4 (a public-domain
                            weekly address). It is cut by the ffmpeg command where it is missing.
    log_mel.npy             float32 [T, 1, 320]: four log-mel spectra a video frame, with the filters of
                            transformers' audio_utils
    base/, large/           a network each, of the published architecture but narrow and shallow, with
                            random weights: config.json and the weights, and what it makes of speech.npy
        features.npy        float32 [N, F]: the convolutional features, 50 a second
        before_encoder.npy  float32 [T, L, C]: hidden states, L = layers + 1, where the convolutional
                            features are brought to T video frames before the encoder
        after_encoder.npy   float32 [T, L, C]: the same, where the encoder runs at 50 a second and its
                            hidden states are brought to T afterwards

All of them hear speech.npy with zeros up to a whole number of video frames, as Loopy does: so a step of the
encoder lies where its sound is, on any length.

`base` is as facebook/wav2vec2-base (group norm, norm after each block), saved as save_pretrained does
now. `large` is as facebook/wav2vec2-large-lv60 (layer norm, biased convolutions, norm before each block),
saved as it was published: pytorch_model.bin, every name behind "wav2vec2.", the positional convolution
in `weight_g` and `weight_v`, and the pretraining heads, which the features do not need.

    … make_fixtures.py --real DIR --wav FILE

writes DIR/wav2vec2-base and DIR/wav2vec2-large, random weights of full size in the same formats, and
what they make of a 16 kHz mono WAV file: for checks by hand.
"""

import argparse
import math
import pathlib
import subprocess
import wave

import numpy
import torch
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining
from transformers.audio_utils import mel_filter_bank

here = pathlib.Path(__file__).parent
sample = here.parents[2] / ".deps/samples/obama_speech.mp4"

SAMPLES = 36_901  # not a whole number of video frames: 57.66, which zeros make 58
SAMPLES_PER_FRAME = 640

NARROW = dict(
    hidden_size=32, num_attention_heads=4, intermediate_size=48, conv_dim=(16,) * 7,
    codevector_dim=8, proj_codevector_dim=8, num_codevectors_per_group=4,
)
BASE = dict(feat_extract_norm="group", conv_bias=False, do_stable_layer_norm=False)
LARGE = dict(feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True)
SMALL = {
    "base": dict(**NARROW, **BASE, num_hidden_layers=2, num_conv_pos_embedding_groups=4),
    "large": dict(**NARROW, **LARGE, num_hidden_layers=3, num_conv_pos_embedding_groups=8),
}
REAL = {
    "wav2vec2-base": BASE,
    "wav2vec2-large": dict(
        **LARGE, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
        intermediate_size=4096,
    ),
}


def make_network(settings, seed):
    """A network with random weights; biases and norms too, whose defaults would hide mistakes."""
    config = Wav2Vec2Config(**settings, attn_implementation="eager")
    network = Wav2Vec2ForPreTraining(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if name.endswith("weight.original0"):  # lengths of the weight-normed kernels
                values = 0.5 * (1 + 0.2 * values.clamp(-3, 3))
            elif parameter.dim() > 1:
                values *= 1.4 / math.sqrt(parameter[0].numel())
            elif "norm" in name and name.endswith("weight"):
                values = 1 + 0.2 * values
            else:
                values *= 0.2
            parameter.copy_(values)
    return network


def save(network, folder, old):
    """Hugging Face's folder: as it is written now, or as the first networks were published."""
    network.config.save_pretrained(folder)
    if not old:
        network.wav2vec2.save_pretrained(folder)
        return
    state = network.state_dict()
    position = "wav2vec2.encoder.pos_conv_embed.conv."
    state[position + "weight_g"] = state.pop(position + "parametrizations.weight.original0")
    state[position + "weight_v"] = state.pop(position + "parametrizations.weight.original1")
    hidden = network.config.hidden_size
    state["lm_head.weight"], state["lm_head.bias"] = torch.zeros(4, hidden), torch.zeros(4)
    torch.save(state, folder / "pytorch_model.bin")


def hidden_states(network, features):
    """Hidden states [L, N, C] of convolutional features [1, N, F]: the input of the first layer, and the
    output of every layer. That is what transformers 5 gives; transformers 4 put the final norm on the
    last one where the norm stands before each block.
    """
    states = []
    layers = network.encoder.layers
    hooks = [layers[0].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0][0]))]
    for layer in layers:
        hook = layer.register_forward_hook(
            lambda _, __, output: states.append(output[0] if output.dim() == 3 else output))
        hooks.append(hook)
    network.encoder(network.feature_projection(features)[0])
    for hook in hooks:
        hook.remove()
    return torch.stack(states)


def at_video_rate(values, frames):
    """[…, N, C] to […, T, C]: linear between neighbours, first on first and last on last."""
    flat = values.reshape(-1, *values.shape[-2:]).transpose(1, 2)
    flat = functional.interpolate(flat, size=frames, mode="linear", align_corners=True)
    return flat.transpose(1, 2).reshape(*values.shape[:-2], frames, values.shape[-1])


def whole_frames(speech):
    """The samples, and zeros up to the end of the last video frame."""
    return numpy.pad(speech, (0, -len(speech) % SAMPLES_PER_FRAME))


@torch.no_grad()
def write_expected(network, speech, folder):
    """In double precision, so that all the error that a test sees is its own."""
    network = network.wav2vec2.double()
    samples = torch.from_numpy(speech.astype(numpy.float64) / 32768)
    normal = (samples - samples.mean()) / torch.sqrt(samples.var(unbiased=False) + 1e-7)
    frames = len(speech) // SAMPLES_PER_FRAME

    features = network.feature_extractor(normal[None]).transpose(1, 2)
    states = hidden_states(network, features)
    published = network(normal[None], output_hidden_states=True).hidden_states
    assert torch.allclose(states, torch.cat(published))
    results = {
        "features": features[0],
        "before_encoder": hidden_states(network, at_video_rate(features, frames)).transpose(0, 1),
        "after_encoder": at_video_rate(states, frames).transpose(0, 1),
    }
    for name, values in results.items():
        numpy.save(folder / f"{name}.npy", values.numpy().astype(numpy.float32))
        print(folder.name, name, list(values.shape), f"deviation {values.std():.3f}")


def write_log_mel(speech):
    samples = speech / 32768
    samples = (samples - samples.mean()) / numpy.sqrt(samples.var() + 1e-7)
    frames = len(speech) // SAMPLES_PER_FRAME
    # A spectrum's 400 samples are centred on its 160.
    padded = numpy.pad(samples, 120)
    windows = numpy.lib.stride_tricks.sliding_window_view(padded, 400)[::160]
    power = numpy.abs(numpy.fft.rfft(windows * numpy.hanning(401)[:400])) ** 2
    filters = mel_filter_bank(201, 80, 0, 8000, 16000, norm="slaney", mel_scale="slaney")
    mel = numpy.log(numpy.maximum(power @ filters, 1e-5)).reshape(frames, 1, 320)
    numpy.save(here / "log_mel.npy", mel.astype(numpy.float32))


def cut_sample():
    command = ["ffmpeg", "-v", "error", "-ss", "1.9", "-i", str(sample), "-vn"]
    command += ["-ac", "1", "-ar", "16000", "-f", "s16le", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True).stdout
    return numpy.frombuffer(decoded, "<i2")[:SAMPLES]


def read_wave(path):
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (16000, 1, 2):
            raise SystemExit(f"{path}: not 16 kHz mono of 16 bits")
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--wav", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()
    if options.real:
        if not options.wav:
            parser.error("--real needs --wav")
        speech, target, networks = whole_frames(read_wave(options.wav)), options.real, REAL
    else:
        path = here / "speech.npy"
        if not path.exists():
            numpy.save(path, cut_sample())
        speech, target, networks = whole_frames(numpy.load(path)), here, SMALL
        write_log_mel(speech)

    for seed, (name, settings) in enumerate(networks.items()):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        network = make_network(settings, seed)
        save(network, folder, old=settings["do_stable_layer_norm"])
        write_expected(network, speech, folder)


if __name__ == "__main__":
    main()
