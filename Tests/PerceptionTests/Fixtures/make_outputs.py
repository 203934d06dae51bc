"""Writes outputs/ beside this script: networks whose outputs are of other types than float32.

    python3 -m venv /tmp/venv
    /tmp/venv/bin/pip install onnx==1.23.2
    /tmp/venv/bin/python Tests/PerceptionTests/Fixtures/make_outputs.py

types.onnx casts its input of six numbers to each type that Loopy reads, four-bits.onnx to one that it
does not read.
"""

import pathlib

import onnx
from onnx import TensorProto, helper

folder = pathlib.Path(__file__).parent / "outputs"

TYPES = {
    "bool": TensorProto.BOOL,
    "u8": TensorProto.UINT8,
    "i8": TensorProto.INT8,
    "u16": TensorProto.UINT16,
    "i16": TensorProto.INT16,
    "i32": TensorProto.INT32,
    "u32": TensorProto.UINT32,
    "i64": TensorProto.INT64,
    "u64": TensorProto.UINT64,
    "f16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "f64": TensorProto.DOUBLE,
    "f32": TensorProto.FLOAT,
}


def write(name, types):
    nodes = [helper.make_node("Cast", ["input"], [n], to=t) for n, t in types.items()]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info(n, t, [2, 3]) for n, t in types.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / f"{name}.onnx")


folder.mkdir(exist_ok=True)
write("types", TYPES)
write("four-bits", {"i4": TensorProto.INT4})
