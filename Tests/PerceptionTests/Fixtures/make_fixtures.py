"""Writes faces.json and speech.json beside this script: what the networks' own implementations see
in the sample videos that Scripts/setup.sh fetches.

    python3.11 -m venv /tmp/venv
    /tmp/venv/bin/pip install mediapipe==0.10.14 av 'numpy<2' onnxruntime
    /tmp/venv/bin/python Tests/PerceptionTests/Fixtures/make_fixtures.py

faces.json: MediaPipe's face detection (both ranges) and FaceMesh (without attention, every picture
on its own). speech.json: silero-vad's own .onnx (not the OpenVINO variant that Loopy runs), with the
context and the state of its `OnnxWrapper`.
"""

import io
import json
import pathlib
import subprocess
import zipfile

import av
import mediapipe
import numpy
import onnxruntime

here = pathlib.Path(__file__).parent
dependencies = here.parents[2] / ".deps"

# (file, place on the 25 fps grid)
PICTURES = [
    ("single_face.mp4", 0),
    ("single_face.mp4", 30),
    ("WolfgangLanger_Pexels.mp4", 60),
    ("WolfgangLanger_Pexels.mp4", 250),
    ("carphone_pristine.mp4", 40),
    ("obama_speech.mp4", 100),
]

# The mesh's vertices that stand where the 68 points of iBUG do.
IBUG68 = [
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
]


def picture(name, index):
    """The picture, in square pixels, at a place of the 25 fps grid, as FFmpeg's fps filter chooses."""
    chosen = first = None
    with av.open(str(dependencies / "samples" / name)) as container:
        for frame in container.decode(video=0):
            first = frame.time if first is None else first
            if int((frame.time - first) * 25 + 0.5) > index:
                break
            chosen = frame
        aspect = container.streams.video[0].sample_aspect_ratio or 1
    return chosen.to_ndarray(format="rgb24", width=round(chosen.width * aspect))


def detections(pixels, model, score):
    height, width = pixels.shape[:2]
    with mediapipe.solutions.face_detection.FaceDetection(
        model_selection=model, min_detection_confidence=score
    ) as detector:
        found = detector.process(pixels).detections or []
    result = []
    for detection in found:
        box = detection.location_data.relative_bounding_box
        eyes = detection.location_data.relative_keypoints[:2]
        result.append({
            "box": [
                round(box.xmin * width, 2), round(box.ymin * height, 2),
                round((box.xmin + box.width) * width, 2),
                round((box.ymin + box.height) * height, 2),
            ],
            "eyes": [round(v, 2) for eye in eyes for v in (eye.x * width, eye.y * height)],
            "score": round(detection.score[0], 4),
        })
    return result


def meshes(pixels):
    height, width = pixels.shape[:2]
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=False, max_num_faces=3
    ) as mesh:
        found = mesh.process(pixels).multi_face_landmarks or []
    return [
        [
            [round(face.landmark[i].x * width, 2), round(face.landmark[i].y * height, 2)]
            for i in IBUG68
        ]
        for face in found
    ]


def speech(name):
    """Probability of speech for each 512 samples."""
    command = ["ffmpeg", "-v", "error", "-i", str(dependencies / "samples" / name)]
    command += ["-ac", "1", "-ar", "16000", "-f", "f32le", "-"]
    samples = numpy.frombuffer(subprocess.run(command, stdout=-1, check=True).stdout, numpy.float32)
    (wheel,) = dependencies.glob("wheels/silero-vad==*/*.whl")
    network = zipfile.ZipFile(wheel).read("silero_vad/data/silero_vad.onnx")
    session = onnxruntime.InferenceSession(io.BytesIO(network).getvalue())
    state = numpy.zeros((2, 1, 128), numpy.float32)
    context = numpy.zeros(64, numpy.float32)
    result = []
    for start in range(0, len(samples), 512):
        window = samples[start:start + 512]
        window = numpy.pad(window, (0, 512 - len(window)))
        values = numpy.concatenate([context, window])[None]
        probability, state = session.run(
            None, {"input": values, "state": state, "sr": numpy.array(16000)}
        )
        context = window[-64:]
        result.append(round(float(probability[0, 0]), 4))
    return result


def write(name, value):
    text = json.dumps(value, separators=(",", ":")).replace('{"file', '\n{"file')
    (here / name).write_text(text + "\n")


faces = []
for name, index in PICTURES:
    pixels = picture(name, index)
    faces.append({
        "file": name,
        "frame": index,
        "near": detections(pixels, 0, 0.5),
        "far": detections(pixels, 1, 0.6),
        "meshes": meshes(pixels),
    })
write("faces.json", faces)
write(
    "speech.json",
    [{"file": name, "probabilities": speech(name)} for name in ("obama_speech.mp4",)],
)
