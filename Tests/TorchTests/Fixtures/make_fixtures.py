"""Writes what PyTorch computes, for the tests of `Torch`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy safetensors
    /tmp/venv/bin/python Tests/TorchTests/Fixtures/make_fixtures.py

Beside this script, committed, written with torch 2.13:

    functions.safetensors   inputs and results of functions, "name.x", "name.y" and so on
    network.safetensors     the state dict of a network with every layer that Torch has
    layers.safetensors      what each of its layers makes of an input
    training.safetensors    a small network's weights, its loss, its gradients; the same in bfloat16
    random.safetensors      what a seeded generator draws, in this order
    types.safetensors       the same values as every type of element
    half.safetensors        a layer in float16
    strided.pt              views in a state dict: transposed, with gaps, expanded
    optimisation.safetensors  steps of AdamW, clipped gradients, moving averages
    misaligned.safetensors  an order of tensors in which all but the first lie at odd addresses
"""

import json
import pathlib
import struct

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

here = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def save(name, tensors):
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, here / f"{name}.safetensors")


def draw(*shape):
    return torch.randn(shape, generator=generator)


def functions():
    cases = {}

    def case(name, y, **inputs):
        cases[name + ".y"] = y
        for key, value in inputs.items():
            if value is not None:
                cases[f"{name}.{key}"] = value

    # Convolutions.
    sizes = {1: (11,), 2: (7, 6), 3: (5, 6, 4)}
    convolutions = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
    kernels = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}
    for axes, convolution in convolutions.items():
        x, size = draw(2, 4, *sizes[axes]), kernels[axes]
        weight, grouped, bias = draw(6, 4, *size), draw(6, 2, *size), draw(6)
        stride, padding = (2, 1, 3)[:axes], (1, 2, 1)[:axes]
        dilation = (2, 1, 1)[:axes]
        case(f"convolution{axes}.plain", convolution(x, weight), x=x, weight=weight)
        case(f"convolution{axes}.strided", convolution(x, weight, bias, stride, padding),
             x=x, weight=weight, bias=bias)
        case(f"convolution{axes}.grouped", convolution(x, grouped, bias, 2, 1, groups=2),
             x=x, weight=grouped, bias=bias)
        case(f"convolution{axes}.dilated", convolution(x, weight, bias, 1, 1, dilation),
             x=x, weight=weight, bias=bias)
    x, weight, bias = draw(2, 3, 5), draw(4, 5), draw(4)
    case("linear", F.linear(x, weight, bias), x=x, weight=weight, bias=bias)
    case("linear.unbiased", F.linear(x, weight), x=x, weight=weight)
    a, b = draw(2, 3, 4), draw(4, 5)
    case("matmul", a @ b, a=a, b=b)
    x = draw(1, 2, 7, 6)
    case("pooling", F.max_pool2d(x, (3, 2), (2, 1), (1, 0)), x=x)

    # Normalisation.
    x, weight, bias = draw(2, 6, 5), draw(6), draw(6)
    case("groups", F.group_norm(x, 3, weight, bias, 1e-3), x=x, weight=weight, bias=bias)
    case("groups.plain", F.group_norm(x, 2), x=x)
    x, weight, bias = draw(2, 3, 4), draw(3, 4), draw(3, 4)
    case("layer", F.layer_norm(x, (3, 4), weight, bias, 1e-3), x=x, weight=weight, bias=bias)
    case("layer.plain", F.layer_norm(x, (4,)), x=x)

    # Activations.
    x = draw(4, 5) * 3
    for name in ["gelu", "silu", "relu", "sigmoid", "tanh"]:
        case(name, getattr(F, name)(x), x=x)
    case("softmax.first", x.softmax(0), x=x)
    case("softmax.last", x.softmax(-1), x=x)

    # Attention.
    query, key, value = draw(2, 3, 5, 8), draw(2, 3, 7, 8), draw(2, 3, 7, 8)
    may = torch.rand(2, 1, 5, 7, generator=generator) < 0.6
    may[..., 0] = True
    added = draw(5, 7)
    inputs = dict(query=query, key=key, value=value)
    attention = F.scaled_dot_product_attention
    case("attention", attention(query, key, value), **inputs)
    case("attention.truth", attention(query, key, value, may), mask=may, **inputs)
    case("attention.added", attention(query, key, value, added), mask=added, **inputs)

    # Sampling and padding.
    x = {1: draw(2, 3, 7), 2: draw(1, 2, 5, 6), 3: draw(1, 2, 3, 4, 5)}
    sizes = {1: [[12], [4]], 2: [[9, 11], [3, 4]], 3: [[5, 7, 4], [2, 3, 9]]}
    names = {1: "linear", 2: "bilinear", 3: "trilinear"}
    for axes, both in sizes.items():
        for change, size in zip(["larger", "smaller"], both):
            name = f"resized{axes}.{change}"
            case(f"{name}.nearest", F.interpolate(x[axes], size, mode="nearest"), x=x[axes])
            for corners in [False, True]:
                modes = {"linear": names[axes]} | ({"bicubic": "bicubic"} if axes == 2 else {})
                for kind, mode in modes.items():
                    y = F.interpolate(x[axes], size, mode=mode, align_corners=corners)
                    case(f"{name}.{kind}" + (".corners" if corners else ""), y, x=x[axes])
    for axes, amounts in {1: [2, 1], 2: [1, 2, 0, 3], 3: [1, 0, 2, 1, 1, 2]}.items():
        case(f"padded{axes}.constant", F.pad(x[axes], amounts, value=1.5), x=x[axes])
        case(f"padded{axes}.reflect", F.pad(x[axes], amounts, "reflect"), x=x[axes])
        case(f"padded{axes}.replicate", F.pad(x[axes], amounts, "replicate"), x=x[axes])
    case("padded.cut", F.pad(x[1], [-2, 3]), x=x[1])

    # Tables, spectra, losses.
    table, indices = draw(6, 3), torch.tensor([[0, 5, 2], [2, 2, 1]])
    case("embedding", F.embedding(indices, table), table=table, indices=indices)
    x = draw(2, 10)
    for length in [10, 7, 16]:
        transform = torch.fft.rfft(x, length)
        case(f"spectrum{length}", transform.abs() ** 2, x=x)
        case(f"fourier{length}", transform.real, x=x, imaginary=transform.imag)
    x, target = draw(3, 4), draw(3, 4)
    case("loss", F.mse_loss(x, target), x=x, target=target)

    # Arithmetic and reductions.
    x = draw(2, 3, 4)
    case("sum", x.sum((0, 2)), x=x)
    case("mean", x.mean(1, keepdim=True), x=x)
    case("variance", x.var((0, 1), correction=0), x=x)
    case("variance.corrected", x.var(correction=1), x=x)
    case("maximum", x.amax((1, 2)), x=x)
    case("minimum", x.amin(-1, keepdim=True), x=x)
    case("norm", x.norm(dim=(0, 1)), x=x)
    case("cumulative", x.cumsum(1), x=x)
    case("greatest", x.argmax(2), x=x)
    for name in ["abs", "exp", "sin", "cos", "square", "floor", "neg"]:
        case(name, getattr(x, name)(), x=x)
    for name in ["log", "sqrt"]:
        case(name, getattr(x.abs(), name)(), x=x.abs())
    case("power", x ** 3.0, x=x)
    case("clamped", x.clamp(-0.5, 0.8), x=x)
    case("clamped.above", x.clamp(max=0.1), x=x)
    save("functions", cases)


class Every(nn.Module):
    """Every layer, by the name that its weights have."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 4)
        self.unbiased = nn.Linear(5, 4, bias=False)
        self.convolution1 = nn.Conv1d(4, 6, 3, stride=2, padding=1)
        self.convolution2 = nn.Conv2d(4, 6, (3, 2), padding=(1, 0), groups=2, bias=False)
        self.convolution3 = nn.Conv3d(4, 2, 2)
        self.layer = nn.LayerNorm(5, eps=1e-3)
        self.groups = nn.GroupNorm(2, 4, eps=1e-3)
        self.batch = nn.BatchNorm2d(4, eps=1e-3)
        self.embedding = nn.Embedding(7, 3)

    INPUTS = {
        "linear": (2, 5), "unbiased": (2, 5), "convolution1": (2, 4, 9), "convolution2": (1, 4, 6, 5),
        "convolution3": (1, 4, 3, 4, 3), "layer": (2, 3, 5), "groups": (2, 4, 3),
        "batch": (2, 4, 3, 3),
    }


def layers():
    network = Every().eval()
    for name, parameter in network.named_parameters():
        if "linear" not in name:
            parameter.data = draw(*parameter.shape)
    network.batch.running_mean[:] = draw(4)
    network.batch.running_var[:] = draw(4).square() + 0.1
    save("network", network.state_dict())
    cases = {}
    for name, shape in Every.INPUTS.items():
        cases[f"{name}.x"] = draw(*shape)
        cases[f"{name}.y"] = getattr(network, name)(cases[f"{name}.x"])
    indices = torch.tensor([[6, 0], [3, 3]])
    cases |= {"embedding.x": indices, "embedding.y": network.embedding(indices)}
    save("layers", cases)


class Small(nn.Module):
    """A network with a convolution, a norm, attention and linear maps."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(3, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.output = nn.Linear(8, 2)

    def forward(self, x):
        x = F.silu(self.norm(self.convolution(x))).transpose(1, 2)
        heads = [y(x).reshape(2, 6, 2, 4).transpose(1, 2) for y in (self.query, self.key, self.value)]
        x = x + F.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 6, 8)
        return self.output(F.gelu(x))


def training():
    network = Small()
    for parameter in network.parameters():
        parameter.data = draw(*parameter.shape) * 0.5
    x, target = draw(2, 3, 6).requires_grad_(), draw(2, 6, 2)
    tensors = {"weights." + name: value.clone() for name, value in network.state_dict().items()}
    tensors |= {"x": x, "target": target}

    def step(name):
        network.zero_grad()
        x.grad = None
        loss = F.mse_loss(y := network(x), target)
        loss.backward()
        tensors.update({f"{name}.y": y, f"{name}.loss": loss, f"{name}.gradient.x": x.grad})
        for parameter, value in network.named_parameters():
            tensors[f"{name}.gradient.{parameter}"] = value.grad.clone()

    step("float32")
    with torch.autocast("cpu", torch.bfloat16):
        step("bfloat16")

    # Five steps of gradient descent.
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = F.mse_loss(network(x), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    save("training", tensors)


def random():
    seeded = torch.Generator().manual_seed(1234)
    options = dict(generator=seeded)
    save("random", {
        "normal": torch.randn(5, 7, **options),
        "uniform": torch.rand(9, **options),
        "few": torch.randn(3, **options),
        "integers": torch.randint(-3, 1000, (4, 5), **options),
        "permutation": torch.randperm(17, **options),
        "double": torch.randn(20, dtype=torch.float64, **options),
        "large": torch.randn(3, generator=torch.Generator().manual_seed(2**63 + 5)),
    })


def types():
    values = torch.tensor([[0, 1, 2], [3, 100, 1]], dtype=torch.float64)
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
             "float64"]
    save("types", {name: values.to(getattr(torch, name)) for name in names})
    save("half", {"weight": draw(4, 5).half(), "bias": draw(4).bfloat16()})

    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    torch.save(
        {"transposed": whole.T, "gaps": whole[1:, ::2], "expanded": whole[:1].expand(3, 6),
         "scalar": whole[2, 3], "empty": whole[:0]},
        here / "strided.pt")

    # safetensors itself would order them so that they are aligned.
    header, elements = {}, b""
    for name, kind, form, values in [
        ("first", "U8", "3B", [1, 2, 3]), ("floats", "F32", "4f", [0.5, -1, 2, 3]),
        ("doubles", "F64", "2d", [1.25, -7]), ("halves", "I16", "2h", [5, -6]),
    ]:
        data = struct.pack("<" + form, *values)
        offsets = [len(elements), len(elements) + len(data)]
        header[name] = {"dtype": kind, "shape": [len(values)], "data_offsets": offsets}
        elements += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (here / "misaligned.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + elements)


def optimisation():
    tensors = {}
    names = {"matrix": (3, 4), "vector": (5,)}
    start = {name: draw(*shape) for name, shape in names.items()}
    gradients = [{name: draw(*shape) for name, shape in names.items()} for _ in range(6)]
    # The vector has no gradient at first, and once in between.
    del gradients[0]["vector"], gradients[3]["vector"]
    tensors |= {f"start.{name}": value.clone() for name, value in start.items()}
    for step, given in enumerate(gradients):
        tensors |= {f"gradient.{step}.{name}": value for name, value in given.items()}

    for case, settings in {
        "plain": {}, "other": dict(betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3)
    }.items():
        parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
        optimiser = torch.optim.AdamW(parameters.values(), fused=True, **settings)
        for step, given in enumerate(gradients):
            optimiser.param_groups[0]["lr"] = 0.1 / (step + 1)
            for name, parameter in parameters.items():
                parameter.grad = given[name].clone() if name in given else None
            optimiser.step()
            for name, parameter in parameters.items():
                tensors[f"{case}.{step}.{name}"] = parameter.detach().clone()
        for name, parameter in parameters.items():
            for key, value in optimiser.state[parameter].items():
                tensors[f"{case}.state.{name}.{key}"] = value

    # In the first step only the matrix has a gradient.
    for case, step, limit in [("all", 1, 0.5), ("one", 0, 0.5), ("none", 1, 100.0)]:
        parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
        for name, value in gradients[step].items():
            parameters[name].grad = value.clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), limit)
        tensors[f"clipped.{case}.norm"] = norm
        for name, parameter in parameters.items():
            if parameter.grad is not None:
                tensors[f"clipped.{case}.{name}"] = parameter.grad

    for decay in [0.3, 0.99]:
        averages = {name: value.double() for name, value in start.items()}
        for step in range(6):
            now = min(decay, (1 + step + 1) / (10 + step + 1))
            for name in names:
                value = tensors[f"plain.{step}.{name}"].double()
                averages[name] = now * averages[name] + (1 - now) * value
        tensors |= {f"average.{decay}.{name}": value.float() for name, value in averages.items()}
    save("optimisation", tensors)


for number, make in enumerate([functions, layers, training, random, types, optimisation]):
    generator = torch.Generator().manual_seed(number)
    torch.manual_seed(number)
    make()
