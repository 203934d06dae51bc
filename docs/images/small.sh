#!/bin/sh
# small.jpg: every twelfth frame of two held-out clips, the true ones above those that `loopy generate --held-out` made.
#
#   docs/images/small.sh TRUE GENERATED TRUE GENERATED
set -e
strip="select='not(mod(n,12))',scale=192:192:flags=bicubic,tile=6x1"
ffmpeg -v error -y -i "$1" -i "$2" -i "$3" -i "$4" -filter_complex \
    "[0:v]${strip}[a];[1:v]${strip}[b];[2:v]${strip}[c];[3:v]${strip}[d];[a][b][c][d]vstack=4" \
    -frames:v 1 -q:v 3 "$(dirname "$0")/small.jpg"
