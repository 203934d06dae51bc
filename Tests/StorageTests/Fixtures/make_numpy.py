"""Writes numpy.json beside this script: what numpy.save gives for some arrays, in base64.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy
    /tmp/venv/bin/python Tests/DatasetTests/Fixtures/make_numpy.py
"""

import base64
import io
import json
import pathlib

import numpy

arrays = {
    "scalar": numpy.float32(1.5),
    "one": numpy.arange(5, dtype=numpy.float32) / 4,
    "empty": numpy.zeros((0, 2), numpy.float32),
    "two": numpy.array([[1, -2, 3.25], [0, 1e-30, 65504]], numpy.float32),
    "three": (numpy.arange(24, dtype=numpy.float32) * 0.1).reshape(2, 3, 4),
    "double": numpy.arange(3, dtype=numpy.float64),
    "half": numpy.array([[0.1, -2049], [65504, 6e-8], [-0.0, numpy.inf]], numpy.float16),
    "short": numpy.array([0, 1, -32768, 32767], numpy.int16),
    "integer": numpy.arange(4, dtype=numpy.int32),
    "big_endian": numpy.arange(2, dtype=">f4"),
    "columns_first": numpy.asfortranarray(numpy.ones((2, 3), numpy.float32)),
}
result = {}
for name, array in arrays.items():
    file = io.BytesIO()
    numpy.save(file, array)
    result[name] = {
        "shape": list(numpy.shape(array)),
        "type": numpy.asarray(array).dtype.str,
        "bytes": base64.b64encode(file.getvalue()).decode(),
    }
path = pathlib.Path(__file__).with_name("numpy.json")
path.write_text(json.dumps(result, indent=1) + "\n")
