#!/usr/bin/env bash
# Builds, on a machine that need not have a GPU, a folder that checks and measures Loopy on one that has:
#
#   Scripts/gpu-bundle.sh [FOLDER]      FOLDER: gpu-bundle
#
# There, with nothing but CUDA's driver and a Python with the same PyTorch:
#
#   gpu-bundle/run.sh OUT
#
# The programs are linked with Swift's libraries inside and with the libtorch of PyPI's CUDA build
# (TORCH, 2.11.0), which is fetched into .deps/torch-cuda. They read no video and no sound there: FFmpeg,
# libsndfile and OpenVINO are replaced by libraries whose functions say that they are not there.
# TRAIN=1 puts loopy-train beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${TORCH:-2.11.0}
bundle=$(realpath -m "${1:-gpu-bundle}")
scratch=.build-cuda
root=$PWD/.deps/torch-cuda/$version

say() { printf 'gpu-bundle: %s\n' "$*" >&2; }

if [ ! -e "$root/torch" ]; then
    say "downloading the CUDA build of torch $version"
    rm -rf "$root.partial"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.12 --implementation cp --platform "manylinux_2_28_$(uname -m)" \
        --dest "$root.partial" "torch==$version"
    python3 -m zipfile -e "$root.partial"/torch-*.whl "$root.partial"
    rm "$root.partial"/torch-*.whl
    mv "$root.partial" "$root"
fi
if [ "$(cat "$bundle/torch-version" 2>/dev/null)" = "" ] && [ -n "$(ls -A "$bundle" 2>/dev/null)" ]; then
    say "$bundle holds something else: give an empty folder, or an earlier bundle"
    exit 1
fi

products=(bench-loopy)
[ -z "${TRAIN:-}" ] || products+=(loopy-train)
for product in "${products[@]}"; do
    # The libraries of CUDA, which libtorch needs, are where the programs will run.
    LIBTORCH=$root/torch swift build -c release --scratch-path "$scratch" --product "$product" \
        --static-swift-stdlib -Xlinker --allow-shlib-undefined -Xlinker -z -Xlinker lazy
done

partial=$bundle.partial
rm -rf "$partial"
mkdir -p "$partial/programs" "$partial/lib"
for product in "${products[@]}"; do
    cp "$scratch/release/$product" "$partial/programs/"
done
strip "$partial"/programs/*
cp Benchmarks/GPU/run.sh Benchmarks/GPU/kernels.py "$partial/"
echo "$version" >"$partial/torch-version"

# stand_in NAME LIBRARY: a library of that name with the functions of LIBRARY that the programs ask for,
# each of which says that it is not there, and ends the program.
stand_in() {
    local wanted
    wanted=$(comm -12 \
        <(nm -D --undefined-only "$partial"/programs/* | awk 'NF == 2 { print $2 }' | cut -d@ -f1 | sort -u) \
        <(nm -D --defined-only "$2" | awk '{ print $3 }' | cut -d@ -f1 | sort -u))
    {
        printf '#include <stdio.h>\n#include <stdlib.h>\n'
        for symbol in $wanted; do
            printf 'void %s(void) { fputs("%s: not in this bundle\\n", stderr); abort(); }\n' \
                "$symbol" "$symbol"
        done
    } | gcc -w -fno-builtin -shared -fPIC -x c -Wl,-soname,"$1" -o "$partial/lib/$1" -
}
needed=$(objdump -p "$partial"/programs/* | awk '$1 == "NEEDED" { print $2 }' | sort -u)
for program in "${products[@]}"; do ldd "$scratch/release/$program"; done \
    | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u | while read -r name library; do
    grep -qx "$name" <<<"$needed" || continue
    case $name in
        libav*.so* | libsw*.so* | libsndfile.so* | libopenvino_c.so*) stand_in "$name" "$library" ;;
        libtcmalloc*.so*) cp -L "$library" "$partial/lib/$name" ;;
    esac
done

# Everything that the programs call is there, but for CUDA's own libraries.
for program in "$partial"/programs/*; do
    missing=$(LD_LIBRARY_PATH=$partial/lib:$root/torch/lib ldd -r "$program" 2>/dev/null \
        | awk -v program="($program)" '/^undefined symbol/ && $NF == program { print $3 }')
    [ -z "$missing" ] || { say "${program##*/}: nothing gives it $missing"; exit 1; }
done

# The programs are much alike, and hold tables that pack well.
tar -C "$partial" -c programs | xz --lzma2=preset=3,dict=192MiB >"$partial/programs.tar.xz"
rm -r "$partial/programs"

rm -rf "$bundle"
mv "$partial" "$bundle"
say "$(du -sh "$bundle" | cut -f1) in $bundle"
