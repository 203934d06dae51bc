"""Writes dwpose/ beside this script: small random networks with the interfaces of DWPose's two, as
ONNX and as TorchScript, and what rtmlib finds with them in the sample videos that Scripts/setup.sh
fetches.

    python3.11 -m venv /tmp/venv
    /tmp/venv/bin/pip install rtmlib==0.0.16 onnx==1.23.2 onnxruntime==1.32.0 \
        opencv-contrib-python==5.0.0.93 av==18.1.0 torch==2.13.0
    /tmp/venv/bin/python Tests/PerceptionTests/Fixtures/make_dwpose.py

With arguments, VIDEO DETECTOR.onnx POSE.onnx KEYPOINTS.npy: compares instead; see `compare`.

The detector gets BGR and the pose network RGB, for which they were trained: rtmlib takes what it is
given.
"""

import json
import pathlib
import sys

import av
import numpy
import onnx
import rtmlib
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

here = pathlib.Path(__file__).parent
folder = here / "dwpose"
samples = here.parents[2] / ".deps/samples"

# (file, place on the 25 fps grid)
PICTURES = [
    ("single_face.mp4", 0),
    ("single_face.mp4", 30),
    ("WolfgangLanger_Pexels.mp4", 60),
    ("no_face.mp4", 0),
    ("obama_speech.mp4", 100),
    ("face_noface.mov", 10),
    ("shot_change.mp4", 60),
]
FACE = slice(23, 91)
# How far a peak must stand out for its place to be sure: beside the rounding of pixels and sums.
CLEAR = 2e-3


class Detector(nn.Module):
    """Cells of three sizes look at their mean colours: [1, 3, 640, 640] to [1, 8400, 85]."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, padding=1)
        self.second = nn.Conv2d(12, 85, 1)
        with torch.no_grad():
            self.first.weight.normal_(0, 0.012)
            self.first.bias.normal_(0, 1)
            self.second.weight.normal_(0, 0.5)
            self.second.bias.zero_()
            self.second.weight[2:4] *= 0.2
            self.second.bias[2:4] = 2  # boxes of some seven strides
            self.second.bias[4:6] = torch.tensor([-2.75, 0.5])  # of few cells

    def forward(self, x):
        cells = []
        for stride in (8, 16, 32):
            y = nn.functional.avg_pool2d(x, stride, stride)
            y = self.second(torch.tanh(self.first(y - 114.0)))
            y = torch.cat([y[:, :4], torch.sigmoid(y[:, 4:])], 1)
            cells.append(y.flatten(2))
        return torch.cat(cells, 2).transpose(1, 2)


class Pose(nn.Module):
    """Weighted sums of columns and of rows: [N, 3, 384, 288] to [N, 133, 576] and [N, 133, 768]."""

    def __init__(self):
        super().__init__()
        self.columns = nn.Conv2d(3, 4, (384, 1), bias=False)
        self.rows = nn.Conv2d(3, 4, (1, 288), bias=False)
        self.column_bins = nn.Conv1d(4, 266, 3, padding=1)
        self.row_bins = nn.Conv1d(4, 266, 3, padding=1)
        with torch.no_grad():
            self.columns.weight.normal_(0, 0.015)
            self.rows.weight.normal_(0, 0.015)
            for bins in (self.column_bins, self.row_bins):
                bins.weight.normal_(0, 0.5)
                bins.bias.normal_(0, 0.05)
        # Neighbouring bins see almost the same: what sets them apart, so that there are peaks.
        self.register_buffer("column_gains", (torch.randn(576) * 0.5).exp())
        self.register_buffer("row_gains", (torch.randn(768) * 0.5).exp())

    def forward(self, x):
        bins = []
        for sums, network, gains in (
            (self.columns(x).squeeze(2), self.column_bins, self.column_gains),
            (self.rows(x).squeeze(3), self.row_bins, self.row_gains),
        ):
            y = network(torch.tanh(sums))  # [N, 266, W]: two bins a pixel
            y = y.unflatten(1, (133, 2)).transpose(2, 3)
            bins.append(y.flatten(2) * gains)
        return tuple(bins)


class Graph:
    """An ONNX graph, node by node."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name

    def weight(self, parameter):
        return self.constant(parameter.detach().numpy())

    def integers(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def node(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def write(self, path, input_shape, outputs):
        """outputs: names of nodes, with what they are to be called and their shapes."""
        for node, (name, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [node], [name]))
        graph = helper.make_graph(
            self.nodes, path.stem,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, input_shape)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.values()
            ],
            self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def write_detector(network, path):
    g = Graph()
    middle = g.constant(numpy.array(114, numpy.float32))
    first = g.weight(network.first.weight), g.weight(network.first.bias)
    second = g.weight(network.second.weight), g.weight(network.second.bias)
    shape = g.integers(1, 85, -1)
    parts = g.integers(4, 81)
    cells = []
    for stride in (8, 16, 32):
        y = g.node("AveragePool", "input", kernel_shape=[stride] * 2, strides=[stride] * 2)
        y = g.node("Conv", g.node("Sub", y, middle), *first, pads=[1, 1, 1, 1])
        y = g.node("Conv", g.node("Tanh", y), *second)
        g.nodes.append(helper.make_node("Split", [y, parts], [y + "a", y + "b"], axis=1))
        y = g.node("Concat", y + "a", g.node("Sigmoid", y + "b"), axis=1)
        cells.append(g.node("Reshape", y, shape))
    y = g.node("Transpose", g.node("Concat", *cells, axis=2), perm=[0, 2, 1])
    g.write(path, [1, 3, 640, 640], {y: ("output", [1, 8400, 85])})


def write_pose(network, path, batch):
    g = Graph()
    outputs = {}
    for name, sums, bins, gains, axis in (
        ("simcc_x", network.columns, network.column_bins, network.column_gains, 2),
        ("simcc_y", network.rows, network.row_bins, network.row_gains, 3),
    ):
        y = g.node("Conv", "input", g.weight(sums.weight))
        y = g.node("Tanh", g.node("Squeeze", y, g.integers(axis)))
        y = g.node("Conv", y, g.weight(bins.weight), g.weight(bins.bias), pads=[1, 1])
        y = g.node("Reshape", y, g.integers(0, 133, 2, -1))
        y = g.node("Transpose", y, perm=[0, 1, 3, 2])
        y = g.node("Reshape", y, g.integers(0, 133, -1))
        outputs[g.node("Mul", y, g.weight(gains))] = (name, [batch, 133, len(gains)])
    g.write(path, [batch, 3, 384, 288], outputs)


def wholebody(detector, pose):
    """The two halves of rtmlib's Wholebody. DWPose keeps persons above 0.3, rtmlib above 0.7."""
    detect = rtmlib.YOLOX(str(detector), det_mode="multiclass", score_thr=0.3)
    look = rtmlib.RTMPose(str(pose), model_input_size=(288, 384))

    leads = []
    infer = look.inference

    def observed(picture):
        outputs = infer(picture)
        best = [numpy.sort(bins, -1)[..., -2:] for bins in outputs]
        leads.append(numpy.minimum(*(b[..., 1] - b[..., 0] for b in best))[0, FACE])
        return outputs

    look.inference = observed

    def faces(rgb):
        """Boxes, points, confidences, and by how much each point's peaks lead."""
        leads.clear()
        boxes, classes = detect(rgb[..., ::-1])
        boxes = [box for box, kind in zip(boxes, classes) if kind == 0]
        points, scores = look(rgb, bboxes=boxes)
        return boxes, points[:, FACE], scores[:, FACE], numpy.stack(leads)

    return faces


def pictures(path, wanted=None):
    """RGB pictures of the 25 fps grid, wanted or all: the last one that begins before a place's middle."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        first, shown, index = None, None, 0
        for frame in container.decode(stream):
            if first is None:
                first = frame.time
            # a picture is shown at a place when it begins less than half a place after it
            while shown is not None and frame.time - first >= (index + 0.5) / 25:
                if wanted is None or index in wanted:
                    yield index, shown.to_ndarray(format="rgb24")
                index += 1
            shown = frame
        yield index, shown.to_ndarray(format="rgb24")


def compare(video, networks, array):
    """Points that `loopy-extract keypoints` wrote for a video of 25 fps, against rtmlib's.

    array: float32 [T, 68, 3]. Of several persons the one is taken that is nearest to Loopy's choice.
    """
    faces = wholebody(*networks)
    found = numpy.load(array)
    same, clear_same, clear, count, sure = 0, 0, 0, 0, 0.0
    for index, rgb in pictures(video):
        if index >= len(found):
            break
        boxes, points, scores, leads = faces(rgb)
        boxes = boxes or [numpy.array([0, 0, rgb.shape[1], rgb.shape[0]])]
        bins = []
        for box, place in zip(boxes, points):
            size = (box[2:] - box[:2]) * 1.25
            bin_size = max(size[0], size[1] * 0.75) / 576
            bins.append(numpy.abs(place - found[index, :, :2]).max(1) / bin_size)
        best = min(range(len(bins)), key=lambda i: numpy.median(bins[i]))
        same += (bins[best] <= 0.5).sum()
        clear += (leads[best] > CLEAR).sum()
        clear_same += ((bins[best] <= 0.5) & (leads[best] > CLEAR)).sum()
        sure = max(sure, numpy.abs(scores[best] - found[index, :, 2]).max())
        count += 68
    print(f"{video}: {len(found)} frames, {same} of {count} points within half a bin, and "
          f"{clear_same} of the {clear} whose peaks lead by {CLEAR}; confidences differ by at most "
          f"{sure:.2g}")


def main():
    folder.mkdir(exist_ok=True)
    torch.manual_seed(11)
    detector, pose = Detector().eval(), Pose().eval()
    write_detector(detector, folder / "detector.onnx")
    write_pose(pose, folder / "pose.onnx", "batch")
    write_pose(pose, folder / "pose-single.onnx", 1)
    # Traced as the published ones are: for one picture, and for five.
    torch.jit.trace(detector, torch.rand(1, 3, 640, 640)).save(folder / "detector.pt")
    torch.jit.trace(pose, torch.rand(5, 3, 384, 288)).save(folder / "pose.pt")

    faces = wholebody(folder / "detector.onnx", folder / "pose.onnx")
    expected = []
    for name, index in PICTURES:
        _, rgb = next(p for p in pictures(samples / name, {index}) if p[0] == index)
        boxes, points, scores, leads = faces(rgb)
        print(f"{name} {index}: {len(boxes)} persons, {(leads > CLEAR).mean():.1%} clear")
        expected.append({
            "file": name,
            "frame": index,
            "boxes": [[round(float(v), 3) for v in box] for box in boxes],
            "points": points.round(3).tolist(),
            "clear": (leads > CLEAR).tolist(),
            "confidences": [[round(float(v), 5) for v in face] for face in scores],
        })
    text = json.dumps(expected, separators=(",", ":")).replace('{"file', '\n{"file')
    (folder / "rtmlib.json").write_text(text + "\n")


if len(sys.argv) > 1:
    compare(sys.argv[1], sys.argv[2:4], sys.argv[4])
else:
    main()
