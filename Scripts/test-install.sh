#!/usr/bin/env bash
# Tries what Scripts/install.sh made where there is nothing else: in a root that holds the C library, a
# copy of the installed folder at another path, videos, and no shell, no Swift, no FFmpeg, no network.
#
#   Scripts/test-install.sh FOLDER         as root, or where user namespaces are allowed
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x "${1:-}/bin/loopy" ] || { echo "usage: Scripts/test-install.sh FOLDER   (of make install)" >&2; exit 64; }
installed=$(realpath "$1")
work=$(mktemp -d --suffix=-loopy-install)
trap 'rm -rf "$work"' EXIT
root=$work/root

mkdir -p "$root"/{proc,dev,tmp,data,videos,moved/elsewhere}
cp -r "$installed" "$root/moved/elsewhere/loopy"
cp .deps/samples/obama_speech.mp4 .deps/samples/small.mp4 "$root/videos/"
cp .deps/portraits/{portrait.jpg,speech.wav} "$root/videos/"

# The C library, where its loader looks for it.
loader=$(patchelf --print-interpreter "$installed/bin/loopy")
mkdir -p "$root$(dirname "$loader")"
cp -L "$loader" "$root$loader"
for name in libc.so.6 libm.so.6 libmvec.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 \
    libutil.so.1 libanl.so.1; do
    library=$(ldconfig -p | awk -v name=$name '$1 == name { print $NF; exit }')
    [ -n "$library" ] || continue
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cat >"$work/inside.sh" <<'INSIDE'
set -euo pipefail
root=$1 bin=/moved/elsewhere/loopy/bin
mount -t proc proc "$root/proc"
for device in null zero urandom random; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
done
try() {
    local expected=$1; shift
    echo "--- $*"
    local status=0
    env -i PATH=/nowhere HOME=/tmp TMPDIR=/tmp LC_ALL=C.UTF-8 \
        OMP_WAIT_POLICY=passive "$(command -v chroot)" "$root" "$bin/$1" "${@:2}" \
        >"$root/../log" 2>&1 || status=$?
    tail -5 "$root/../log" | cut -c 1-200
    [ "$status" = "$expected" ] || { echo "exit status $status, not $expected"; cat "$root/../log"; exit 1; }
}
pipelines=/moved/elsewhere/loopy/Pipelines
try 0 loopy models
try 0 loopy run "$pipelines/demo.yaml" --input /videos/obama_speech.mp4 --dataset /data \
    --set 'run.train=[]' --set select.split.val=0 --set extract.latents.codec=patch-pca \
    --set extract.latents.weights= --set extract.latents.side=256
try 0 loopy verify /data
try 0 loopy sheet --dataset /data --output /data/sheet.png
codec=$(cd "$root" && ls data/codecs/*.safetensors)
try 0 loopy-extract latents --input /videos/small.mp4 --output /data/latents.npy \
    --set "extract.latents.weights=/$codec"
try 0 loopy-train "$pipelines/train-tiny-stage1.yaml" --shards /data/shards --output /data/stage1 \
    --steps 1
try 0 loopy-train "$pipelines/train-tiny-stage2.yaml" --shards /data/shards --output /data/stage2 \
    --first-stage /data/stage1 --steps 1
try 0 loopy generate --run /data/stage2 --image /videos/portrait.jpg --audio /videos/speech.wav \
    --output /data/out.mp4 --steps 1
[ "$(head -c 4 "$root/data/sheet.png" | tail -c 3)" = PNG ] || { echo "no contact sheet"; exit 1; }
INSIDE

namespaces=(--mount --net --pid --fork)
[ "$(id -u)" -eq 0 ] || namespaces+=(--map-root-user)
unshare "${namespaces[@]}" bash "$work/inside.sh" "$root"
echo "The installed folder works in an empty root."
