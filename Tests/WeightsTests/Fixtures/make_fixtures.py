"""Makes the small checkpoints that WeightsTests reads, and what torch finds in each (expected.json).

Written with torch 2.13 and safetensors 0.8. Run in any folder; writes beside itself. Storage keys of
torch's older format are memory addresses, so that those files differ from run to run.
"""

import collections
import io
import json
import pathlib
import pickle
import pickletools
import struct
import zipfile

import numpy
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent
TYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.int32: "I32", torch.float32: "F32",
    torch.float64: "F64", torch.int64: "I64",
}
expected = {}


def flatten(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from flatten(item, f"{name}.{key}" if name else str(key))


def expect(file, tensors):
    """Row-major bytes in hexadecimal: what a copy of the stored tensor must give."""
    expected[file] = [
        {
            "name": name,
            "type": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "strides": list(tensor.stride()),
            "bytes": tensor.detach().contiguous().flatten().view(torch.uint8).numpy()
            .tobytes().hex() if tensor.numel() else "",
        }
        for name, tensor in flatten(tensors)
    ]


def save(name, value, **options):
    torch.save(value, HERE / f"{name}.pt", **options)
    expect(f"{name}.pt", value)
    torch.save(value, HERE / f"{name}_legacy.pt", _use_new_zipfile_serialization=False, **options)
    expect(f"{name}_legacy.pt", value)


def write(name, data):
    (HERE / name).write_bytes(data)


# Every type and odd shape
generator = torch.Generator().manual_seed(7)
values = torch.randn(2, 3, generator=generator)
types = collections.OrderedDict(
    float32=values,
    float64=values.double(),
    float16=values.half(),
    bfloat16=values.bfloat16(),
    int64=torch.tensor([-1, 2**40]),
    int32=torch.tensor([-2, 3], dtype=torch.int32),
    int16=torch.tensor([-3, 4], dtype=torch.int16),
    int8=torch.tensor([-4, 5, 6], dtype=torch.int8),
    uint8=torch.tensor([0, 128, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    one=torch.ones(1, 1, 2),
)
save("types", types)
safetensors.torch.save_file(
    types, HERE / "types.safetensors", metadata={"quote": 'a "b" \\ \n ä \x01'})
expect("types.safetensors", safetensors.torch.load_file(HERE / "types.safetensors"))

# Views: transposed, a row of a larger storage, every other element, expanded, and a parameter
base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
save("views", {
    "base": base,
    "transposed": base.t(),
    "row": base[1],
    "columns": base[:, 1::2],
    "expanded": torch.arange(3, dtype=torch.int64).expand(2, 3),
    "permuted": torch.arange(24, dtype=torch.float16).reshape(2, 3, 4).permute(2, 0, 1),
    "parameter": torch.nn.Parameter(torch.ones(2)),
})

# Wrappers as training leaves them, with what is no tensor beside
save("wrapped", {
    "state_dict": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
    "epoch": 3, "name": "x", "rate": 1e-4, "big": 2**80, "nothing": None, "flag": True,
    "size": torch.Size([2, 3]), "type": torch.float16, "device": torch.device("cpu"),
    "raw": b"\x00\xff",
    "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "groups": [{"params": [0, 1]}]},
    "list": [torch.zeros(1), torch.ones(1)],
})
for protocol in (3, 4, 5):
    name = f"protocol{protocol}.pt"
    value = {"state_dict": {"weight": values}, "epoch": 3, "raw": b"\x00\xff", "list": [1.5]}
    if protocol >= 4:
        value["tags"] = {"a", "b"}
    torch.save(value, HERE / name, pickle_protocol=protocol)
    expect(name, value)


# The older format as Python 2 wrote it: byte texts, an ordered dictionary made of pairs, tensors
# without the arguments that came later, storages of a graphics card, a part of a storage
class Called:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


class FloatStorage:
    pass


def rebuild(*arguments):
    pass


class Storage:
    def __init__(self, *identifier):
        self.identifier = identifier


class OldPickler(pickle._Pickler):
    """Pickles names of globals that today's Python does not have."""

    def persistent_id(self, value):
        return value.identifier if isinstance(value, Storage) else None

    def save_global(self, value, name=None):
        known = {
            FloatStorage: b"ctorch.cuda\nFloatStorage\n",
            rebuild: b"ctorch._utils\n_rebuild_tensor\n",
        }
        if value in known:
            self.write(known[value])
            self.memoize(value)
        else:
            super().save_global(value, name)

    dispatch = dict(pickle._Pickler.dispatch)
    dispatch[type] = save_global
    dispatch[type(rebuild)] = save_global


def old_storage(key, count, view=None):
    return Storage("storage", FloatStorage, key, "cuda:0", count, view)


def python2(data):
    """Texts as the bytes that Python 2 wrote: SHORT_BINSTRING for BINUNICODE."""
    result, places = b"", [place for _, _, place in pickletools.genops(data)] + [len(data)]
    for (opcode, argument, place), end in zip(pickletools.genops(data), places[1:]):
        if opcode.name == "BINUNICODE":
            text = argument.encode()
            result += b"U" + bytes([len(text)]) + text
        else:
            result += data[place:end]
    return result


def old_dump(value):
    buffer = io.BytesIO()
    OldPickler(buffer, protocol=2).dump(value)
    return python2(buffer.getvalue())


pairs = [
    ["weight", Called(rebuild, (old_storage("11", 6), 0, (2, 3), (3, 1)))],
    ["part", Called(rebuild, (old_storage("11", 6, ("12", 2, 3)), 1, (2,), (1,)))],
    ["bias", Called(rebuild, (old_storage("13", 2), 0, (2,), (1,)))],
]
old = Called(collections.OrderedDict, (pairs,), {"_metadata": {"": {"version": 1}}})
magic = 0x1950A86A20F9469CFC6C
six, two = torch.arange(6, dtype=torch.float32), torch.tensor([7.0, 8.0])
facts = {
    "protocol_version": 1001, "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
write("python2_legacy.pt", b"".join([
    pickle.dumps(magic, protocol=2), pickle.dumps(1001, protocol=2), old_dump(facts), old_dump(old),
    old_dump(["11", "13"]),
    struct.pack("<q", 6), six.numpy().tobytes(), struct.pack("<q", 2), two.numpy().tobytes(),
]))
expect("python2_legacy.pt", {"weight": six.reshape(2, 3), "part": six[3:5], "bias": two})


# What must be refused
class Evil:
    def __reduce__(self):
        import os
        return os.system, ("echo run",)


torch.save({"weight": values, "x": Evil()}, HERE / "evil.pt")
torch.save({"weight": values, "x": Evil()}, HERE / "evil_legacy.pt",
           _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(1, 1), HERE / "network.pt")
torch.save({"weight": torch.zeros(2, dtype=torch.uint16)}, HERE / "uint16.pt")
torch.save({"weight": torch.zeros(2, dtype=torch.complex64)}, HERE / "complex.pt")
torch.save(values, HERE / "single.pt")
torch.save({"a.b": values, "a": {"b": values}}, HERE / "double.pt")
safetensors.torch.save_file(
    {"weight": torch.zeros(2, dtype=torch.float8_e4m3fn)}, HERE / "float8.safetensors")
torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), HERE / "compiled.pt")
write("plain.pkl", pickle.dumps({"weight": numpy.zeros(2)}, protocol=2))
with zipfile.ZipFile(HERE / "types.pt") as source, \
        zipfile.ZipFile(HERE / "compressed.pt", "w", zipfile.ZIP_DEFLATED) as target:
    for record in source.infolist():
        target.writestr(record.filename, source.read(record))

# Shards
shards = HERE / "sharded"
shards.mkdir(exist_ok=True)
parts = {
    "model-00001-of-00002.safetensors": {"b": values, "a": values.half()},
    "model-00002-of-00002.safetensors": {"c": torch.tensor([1, 2])},
}
for file, tensors in parts.items():
    safetensors.torch.save_file(tensors, shards / file)
weight_map = {"a": list(parts)[0], "c": list(parts)[1], "b": list(parts)[0]}
(shards / "model.safetensors.index.json").write_text(
    json.dumps({"metadata": {"total_size": 52, "by": "loopy", "x": [1.5, None]},
                "weight_map": weight_map}, indent=2))
every = {name: tensor for tensors in parts.values() for name, tensor in tensors.items()}
expect("sharded", {name: every[name] for name in weight_map})

(HERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
