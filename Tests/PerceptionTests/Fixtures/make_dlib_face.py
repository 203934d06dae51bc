"""Writes what dlib's face recognition network says of a pattern: dlib_face.json.

    pip install dlib-bin==20.0.1 numpy
    python3 make_dlib_face.py dlib_face_recognition_resnet_model_v1.dat

The .dat is in the PyPI package face_recognition_models==0.3.0.
"""
import json
import os
import sys

import dlib
import numpy

y, x, c = numpy.indices((150, 150, 3))
pattern = ((7 * x + 13 * y + 29 * c + x * y // 16) % 256).astype(numpy.uint8)
network = dlib.face_recognition_model_v1(sys.argv[1])
values = [float(value) for value in network.compute_face_descriptor(pattern)]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dlib_face.json"), "w") as file:
    file.write(json.dumps([round(value, 7) for value in values]) + "\n")
