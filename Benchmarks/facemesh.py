"""What users run today: PyAV decodes, MediaPipe's Python FaceMesh tracks one face. Prints JSON."""

import json
import os
import sys
import time

os.environ["GLOG_minloglevel"] = "3"

import av
import mediapipe

mesh = mediapipe.solutions.face_mesh.FaceMesh(
    static_image_mode=False, max_num_faces=1, refine_landmarks=False)
started = time.monotonic()
frames = found = 0
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        result = mesh.process(frame.to_ndarray(format="rgb24"))
        found += result.multi_face_landmarks is not None
        frames += 1
print(json.dumps({"frames": frames, "found": found, "seconds": time.monotonic() - started}))
