#!/usr/bin/env bash
# Compares a GPU with the processor, and measures it: what Scripts/gpu-bundle.sh puts in its folder.
#
#   gpu-bundle/run.sh OUT [check] [sampling] [training] [features]
#
# Needs a CUDA GPU and a Python (PYTHON, or python3) with the PyTorch that the bundle was built against. OUT
# gets a table of each part, and report.md with all of them.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?where to? run.sh OUT}
shift
parts=("$@")
[ $# -gt 0 ] || parts=(check sampling features training)
python=${PYTHON:-python3}
mkdir -p "$out"

torch=$("$python" -c 'import os, torch; print(os.path.dirname(torch.__file__))') \
    || { echo "run.sh: $python has no torch; set PYTHON" >&2; exit 64; }
found=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])')
wanted=$(cat "$here/torch-version")
[ "$found" = "$wanted" ] \
    || { echo "run.sh: built against torch $wanted, and $python has $found" >&2; exit 64; }
libraries=$torch/lib
for folder in "$(dirname "$torch")"/nvidia/*/lib; do
    [ -d "$folder" ] && libraries=$libraries:$folder
done
export LD_LIBRARY_PATH=$here/lib:$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
GPU_NAME=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
export GPU_NAME

[ -d "$here/programs" ] || "$python" -m tarfile -e "$here/programs.tar.xz" "$here"

status=0
for part in "${parts[@]}"; do
    if [ "$part" = check ]; then
        "$here/programs/bench-loopy" check --output "$out" || status=1
    else
        "$here/programs/bench-loopy" speed --parts "$part" --output "$out" || status=1
    fi
done
for trace in "$out"/*-trace.json; do
    [ -e "$trace" ] || continue
    name=$(basename "$trace" -trace.json)
    { echo; echo "### $name: kernels"; "$python" "$here/kernels.py" "$trace"; } | tee "$out/$name-kernels.md"
done
# An earlier run's report is no part of this one.
rm -f "$out/report.md"
cat "$out"/*.md >"$out/report.partial" 2>/dev/null && mv "$out/report.partial" "$out/report.md"
exit $status
