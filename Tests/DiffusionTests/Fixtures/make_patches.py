"""Writes what numpy makes of small pictures, for the tests of `PatchPCA`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy
    /tmp/venv/bin/python Tests/DiffusionTests/Fixtures/make_patches.py

Beside this script, committed, written with numpy 2.4: patches.safetensors, with the pictures, the
principal components of their patches of 2 by 2 pixels, latents of 5 channels and what is decoded.
"""

import json
import pathlib
import struct

import numpy as np

SIZE, CHANNELS = 2, 5


def save(path, arrays):
    names = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}
    header, blob = {}, b""
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape),
                        "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


generator = np.random.default_rng(1)
# Smooth in both directions, and alike in the colours.
noise = generator.normal(size=(6, 3, 8, 12)).cumsum(2).cumsum(3)
mixed = np.einsum("ij,bjhw->bihw", [[1, 0.5, 0.2], [0.4, 1, 0.3], [0.1, 0.6, 1]], noise)
images = (np.tanh(mixed / 8) * 0.9 + generator.normal(size=mixed.shape) * 0.03).clip(-1, 1)
images = images.astype(np.float32)

batch, _, height, width = images.shape
rows, columns = height // SIZE, width // SIZE
patches = images.astype(np.float64).reshape(batch, 3, rows, SIZE, columns, SIZE)
patches = patches.transpose(0, 2, 4, 1, 3, 5).reshape(-1, 3 * SIZE * SIZE)
mean = patches.mean(0)
centred = patches - mean
variances, vectors = np.linalg.eigh(centred.T @ centred / len(patches))
variances, components = variances[::-1], vectors.T[::-1].copy()
greatest = np.abs(components).argmax(1)
components *= np.sign(components[np.arange(len(components)), greatest])[:, None]

kept = components[:CHANNELS]
scale = 1 / np.sqrt(variances[:CHANNELS].mean())
latents = centred @ kept.T * scale
decoded = (latents / scale @ kept + mean).reshape(batch, rows, columns, 3, SIZE, SIZE)
decoded = decoded.transpose(0, 3, 1, 4, 2, 5).reshape(images.shape)
latents = latents.reshape(batch, rows, columns, CHANNELS).transpose(0, 3, 1, 2)


def pixels(images):
    return np.floor(images.astype(np.float64) * 127.5 + 128).clip(0, 255)


error = ((pixels(decoded) - pixels(images)) ** 2).mean()
save(pathlib.Path(__file__).parent / "patches.safetensors", {
    "images": images, "components": components, "mean": mean, "variances": variances.copy(),
    "latents": latents, "decoded": decoded, "psnr": np.array(10 * np.log10(255 ** 2 / error)),
})
print(variances, np.sort(np.abs(components), 1)[:, -2:])
