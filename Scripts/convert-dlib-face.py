#!/usr/bin/env python3
"""Writes dlib's face recognition network as ONNX, with nothing but Python.

    Scripts/convert-dlib-face.py dlib_face_recognition_resnet_model_v1.dat OUTPUT.onnx

The network is that of examples/dnn_face_recognition_ex.cpp of dlib: a residual network of 29 convolutions, whose
weights Davis King gave to the public domain. It takes [1, 3, 150, 150], red, green and blue of 0 to 255, and gives
[1, 128]; the mean is taken out inside. Tests/PerceptionTests/Fixtures/make_dlib_face.py compares it with dlib.
"""
import array
import os
import struct
import sys


# ---- dlib's serialisation: what is needed of it ---------------------------------------------------
class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def find(self, tags):
        """The next layer with one of these names; None at the end."""
        found = [(self.data.find(bytes([1, len(tag)]) + tag, self.at), tag) for tag in tags]
        found = [(at, tag) for at, tag in found if at >= 0]
        if not found:
            return None
        at, tag = min(found)
        self.at = at + 2 + len(tag)
        return tag.decode()

    def integer(self):
        # a byte that says how many follow, and the sign; then the least significant first
        head = self.data[self.at]
        count = head & 0x0F
        value = int.from_bytes(self.data[self.at + 1:self.at + 1 + count], "little")
        self.at += 1 + count
        return -value if head & 0x80 else value

    def floats(self):
        version = self.integer()
        if version != 2:
            sys.exit(f"tensors of version {version} are not known: is it dlib's file of 2017?")
        count = 1
        for _ in range(4):
            count *= self.integer()
        values = array.array("f", self.data[self.at:self.at + 4 * count])
        if sys.byteorder == "big":
            values.byteswap()
        self.at += 4 * count
        return values


def layers(data):
    """The convolutions with the affine layers behind them, in order, and the last matrix."""
    reader = Reader(data)
    convolutions = []
    while True:
        tag = reader.find([b"con_4", b"affine_", b"fc_2"])
        if tag == "con_4":
            weights = reader.floats()
            count, rows, columns, stride, _, padding, _ = (reader.integer() for _ in range(7))
            inputs = (len(weights) // count - 1) // (rows * columns)
            convolutions.append(
                dict(weights=weights, count=count, inputs=inputs, size=rows, stride=stride, padding=padding))
        elif tag == "affine_":
            convolutions[-1]["affine"] = reader.floats()
        elif tag == "fc_2":
            outputs, inputs = reader.integer(), reader.integer()
            return convolutions, (inputs, outputs, reader.floats())
        else:
            sys.exit("the file ends early: is it dlib_face_recognition_resnet_model_v1.dat?")


def folded(layer):
    """Weights and biases of a convolution, the affine layer behind it included."""
    count = layer["count"]
    size = layer["inputs"] * layer["size"] ** 2
    gamma, beta = layer["affine"][:count], layer["affine"][count:]
    biases = layer["weights"][count * size:]
    weights = array.array("f", (layer["weights"][i] * gamma[i // size] for i in range(count * size)))
    return weights, array.array("f", (biases[i] * gamma[i] + beta[i] for i in range(count)))


# ---- ONNX, which is protocol buffers -------------------------------------------------------------
def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def piece(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, shape, values, kind=1):
    """kind: 1 for float32, 7 for int64."""
    raw = array.array("f" if kind == 1 else "q", values)
    if sys.byteorder == "big":
        raw.byteswap()
    return b"".join(number(1, n) for n in shape) + number(2, kind) + piece(8, name) + piece(9, raw.tobytes())


def value_info(name, shape):
    dims = b"".join(piece(1, number(1, n)) for n in shape)
    return piece(1, name) + piece(2, piece(1, number(1, 1) + piece(2, dims)))


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, shape, values, kind=1):
        name = f"c{len(self.constants)}"
        self.constants.append(tensor(name, shape, values, kind))
        return name

    def node(self, operation, inputs, output=None, **attributes):
        output = output or f"x{len(self.nodes)}"
        body = b"".join(piece(1, name) for name in inputs) + piece(2, output) + piece(4, operation)
        for name, value in attributes.items():
            value = [value] if isinstance(value, int) else value
            is_list = name != "axis"
            body += piece(5, piece(1, name) + (
                b"".join(number(8, n) for n in value) + number(20, 7) if is_list
                else number(3, value[0]) + number(20, 2)))
        self.nodes.append(body)
        return output


# ---- the network ---------------------------------------------------------------------------------
def build(data):
    convolutions, (inputs, outputs, matrix) = layers(data)
    if len(convolutions) != 29 or (inputs, outputs) != (256, 128):
        sys.exit("it is not the network of 29 convolutions and 128 numbers")
    graph = Graph()
    rest = iter(convolutions)

    def convolution(x):
        layer = next(rest)
        weights, biases = folded(layer)
        size, stride, padding = layer["size"], layer["stride"], layer["padding"]
        names = [
            graph.constant([layer["count"], layer["inputs"], size, size], weights),
            graph.constant([layer["count"]], biases)]
        return graph.node(
            "Conv", [x] + names, kernel_shape=[size, size], strides=[stride, stride], pads=[padding] * 4)

    def block(x):
        return convolution(graph.node("Relu", [convolution(x)]))

    def pad(x, channels, pixels):
        if channels == 0 and pixels == 0:
            return x
        return graph.node("Pad", [x, graph.constant([8], [0, 0, 0, 0, 0, channels, pixels, pixels], kind=7)])

    x = graph.node("Sub", ["image", graph.constant([1, 3, 1, 1], [122.782, 117.001, 104.298])])
    x = graph.node("Mul", [x, graph.constant([1], [1 / 256])])
    x = graph.node("Relu", [convolution(x)])
    x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    channels, pixels = 32, 35
    for width, count, halves in [(32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True)]:
        for index in range(count):
            if halves and index == 0:
                # what is added is as large as the larger of both: the other one is filled with zeros
                other = graph.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
                smaller, larger = (pixels - 3) // 2 + 1, pixels // 2
                x = graph.node(
                    "Add", [pad(block(x), 0, larger - smaller), pad(other, width - channels, 0)])
                channels, pixels = width, larger
            else:
                x = graph.node("Add", [block(x), x])
            x = graph.node("Relu", [x])
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])], axis=1)
    graph.node("MatMul", [x, graph.constant([inputs, outputs], matrix)], output="embedding")

    body = b"".join(piece(1, node) for node in graph.nodes) + piece(2, "dlib-face")
    body += b"".join(piece(5, constant) for constant in graph.constants)
    body += piece(11, value_info("image", [1, 3, 150, 150])) + piece(12, value_info("embedding", [1, outputs]))
    return number(1, 7) + piece(2, "convert-dlib-face") + piece(7, body) + piece(8, number(2, 13))


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        data = file.read()
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    with open(target + ".partial", "wb") as file:
        file.write(build(data))
    os.replace(target + ".partial", target)


if __name__ == "__main__":
    main()
