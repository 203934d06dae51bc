"""Makes the fixtures of EvaluationTests: features with the distances that public implementations find,
pictures with the values of scikit-image, and small random networks of the published forms.

    .deps/bench/bin/python -m pip install --no-deps --target DIR onnx==1.19.0 scikit-image==0.26.0 \
        pytorch-fid==0.3.0 lazy-loader scipy==1.15.3
    PYTHONPATH=DIR .deps/bench/bin/python Tests/EvaluationTests/Fixtures/make_fixtures.py
"""

import json
import os
import sys
import unittest.mock

import numpy
import onnx
import scipy.linalg
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

# Only pytorch-fid's formula is wanted, not its network.
for name in ["torchvision", "torchvision.transforms"]:
    sys.modules[name] = unittest.mock.MagicMock()
from pytorch_fid.fid_score import calculate_frechet_distance  # noqa: E402

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random = numpy.random.default_rng(7)


def distances():
    """Features of different counts and ranks; a and b of full rank, the others not."""
    mix = random.normal(size=(24, 24)) * 0.9 ** numpy.arange(24)
    cases = {
        "full": (random.normal(size=(70, 24)) @ mix + 0.4, random.normal(size=(81, 24)) * 0.8),
        "few": (random.normal(size=(9, 24)) @ mix, random.normal(size=(13, 24)) @ mix + 0.2),
        # Far from 0, as sums of squares do not like it.
        "offset": (random.normal(size=(64, 24)) + 1e4, random.normal(size=(60, 24)) * 2 + 1e4),
        "one": (random.normal(size=(30, 1)), random.normal(size=(20, 1)) * 3 + 1),
    }
    arrays, expected = {}, {}
    for name, (a, b) in cases.items():
        arrays[name + ".a"], arrays[name + ".b"] = a, b
        means = a.mean(0), b.mean(0)
        covariances = [numpy.atleast_2d(numpy.cov(x, rowvar=False)) for x in (a, b)]
        # The trace of the root, by the symmetric root: exact where the covariances are singular.
        centred = [(x - x.mean(0)) / numpy.sqrt(len(x) - 1) for x in (a, b)]
        root = scipy.linalg.svdvals(centred[0] @ centred[1].T).sum()
        exact = (
            numpy.square(means[0] - means[1]).sum()
            + numpy.trace(covariances[0]) + numpy.trace(covariances[1]) - 2 * root
        )
        expected[name] = {
            "exact": exact,
            "pytorch_fid": calculate_frechet_distance(
                means[0], covariances[0], means[1], covariances[1]),
            "styleganv": styleganv(a, b),
        }
    save_file(arrays, "features.safetensors")
    return expected


def styleganv(fake, real):
    """As the FVD of StyleGAN-V and of those who took it over computes the distance."""
    sigma = [numpy.atleast_2d(numpy.cov(x, rowvar=False)) for x in (fake, real)]
    square = numpy.square(fake.mean(0) - real.mean(0)).sum()
    root = scipy.linalg.sqrtm(sigma[0] @ sigma[1])
    return float(numpy.real(square + numpy.trace(sigma[0] + sigma[1] - root * 2)))


def pictures():
    rows, columns = numpy.mgrid[:40, :53]
    smooth = numpy.stack([rows * 3 + columns, rows + columns * 2, 200 - rows * columns / 20])
    a = numpy.clip(smooth + random.normal(size=smooth.shape) * 4, 0, 255).astype(numpy.uint8)
    b = numpy.clip(smooth + random.normal(size=smooth.shape) * 12, 0, 255).astype(numpy.uint8)
    save_file({"a": a, "b": b}, "pictures.safetensors")
    return {
        "psnr": float(peak_signal_noise_ratio(a, b, data_range=255)),
        "ssim": float(structural_similarity(
            a, b, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=255)),
    }


class Inception(torch.nn.Module):
    """Called as the published one: bytes in, features by return_features."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(12, 6)

    def forward(self, img, return_features: bool = False):
        pooled = torch.nn.functional.adaptive_avg_pool2d(img.to(torch.float32) / 255, 2)
        features = self.layer(pooled.flatten(1))
        if return_features:
            return features
        return features.softmax(1)


class I3D(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(24, 5)

    def forward(self, x, rescale: bool = False, resize: bool = False, return_features: bool = False):
        if rescale:
            x = x / 127.5 - 1
        if resize:
            x = torch.nn.functional.interpolate(x, size=(16, 224, 224))
        features = self.layer(torch.nn.functional.adaptive_avg_pool3d(x, 2).flatten(1))
        if return_features:
            return features
        return features.softmax(1)


class Coefficients(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(12, 4)

    def forward(self, x):
        return self.layer(torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))


class Score(torch.nn.Module):
    """The mean of all values: what an image network finds of pictures, a video network of clips."""

    def forward(self, x):
        return x.mean().reshape(1, 1)


def networks():
    torch.manual_seed(3)
    for name, module in [
        ("inception", Inception()), ("i3d", I3D()), ("coefficients", Coefficients()),
        ("score", Score()),
    ]:
        torch.jit.script(module.eval()).save(name + ".pt")
    # A weighted mean of the colours of pictures of any size.
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "h", "w"])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 1])
    weight = numpy_helper.from_array(
        numpy.array([[0.25], [0.5], [-0.125]], numpy.float32), "weight")
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["score"]),
    ]
    graph = helper.make_graph(nodes, "score", [picture], [score], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, "score.onnx")


if __name__ == "__main__":
    expected = {"distances": distances(), "pictures": pictures()}
    networks()
    with open("expected.json", "w") as out:
        json.dump(expected, out, indent=1)
        out.write("\n")
