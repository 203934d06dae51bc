"""Stable Diffusion 1.5's VAE by diffusers: what users run today to get latents of frames.

    python Benchmarks/vae.py FOLDER VIDEO

FOLDER gets random weights of its size where it has none. Encodes the video's frames one by one on two
threads, in float32, to the means of their latents. Prints JSON: `seconds` of the second of two runs over
the video, decoding included, after imports and loading; and `frames`.
"""

import json
import pathlib
import sys
import time

import av
import torch
from diffusers import AutoencoderKL


def encode(network, video):
    """[F, 4, h, w]"""
    latents = []
    with av.open(video) as container:
        for frame in container.decode(video=0):
            pixels = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)
            image = pixels[None].float() / 127.5 - 1
            latents.append(network.encode(image).latent_dist.mode() * network.config.scaling_factor)
    return torch.cat(latents)


def main():
    folder, video = pathlib.Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(2)
    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2).save_pretrained(folder)
    network = AutoencoderKL.from_pretrained(folder, low_cpu_mem_usage=False).eval()
    with torch.inference_mode():
        for _ in range(2):
            started = time.monotonic()
            latents = encode(network, video)
            seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "frames": len(latents), "shape": list(latents.shape)}))


main()
