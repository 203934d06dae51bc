#!/usr/bin/env bash
# Copies what `make build` made, and everything that it needs at run time but the C library, into one
# folder. The folder can be moved, and copied to a Linux machine without Swift, FFmpeg or libtorch
# whose glibc is this machine's or newer.
#
#   Scripts/install.sh FOLDER [BUILD]      BUILD: where the executables are (.build/release)
#
#   FOLDER/bin          the executables, and the networks that come with Loopy beside them
#   FOLDER/lib          shared libraries: Swift's, FFmpeg's and theirs, OpenVINO, libtorch, tcmalloc
#   FOLDER/share        the contact sheet's font
#   FOLDER/Pipelines, FOLDER/Manifests, FOLDER/Clusters, FOLDER/docs
#   FOLDER/Models/small the model that comes with Loopy
#   FOLDER/licences     those of Loopy and of every package that a library is from
#
# Executables and libraries find each other by paths that begin at themselves ($ORIGIN), which
# patchelf writes; symbols that only debuggers read are taken out.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

[ $# -ge 1 ] && [ -n "$1" ] || fail "where to? make install PREFIX=FOLDER"
prefix=$(realpath -m "$1")
build=${2:-.build/release}
openvino=$PWD/.deps/openvino/lib
libtorch=$(realpath "${LIBTORCH:-$PWD/.deps/libtorch}")/lib

for command in patchelf strip; do
    command -v $command >/dev/null || fail "'$command' is missing: Scripts/setup.sh install brings it"
done
[ -x "$build/loopy" ] || fail "$build/loopy is missing: run 'make build'"
# An earlier installation is replaced, but for the user's networks in Models/.
mark=.loopy-installation
if [ -e "$prefix" ] && [ ! -e "$prefix/$mark" ] && [ -n "$(ls -A "$prefix")" ]; then
    fail "$prefix holds something else: give an empty folder, or one of an earlier installation"
fi

partial=$prefix.partial
# One that was broken off may have them.
if [ -e "$partial/Models" ] && [ ! -e "$prefix/Models" ]; then
    mkdir -p "$prefix"
    touch "$prefix/$mark"
    mv "$partial/Models" "$prefix/"
fi
rm -rf "$partial"
mkdir -p "$partial/bin" "$partial/lib" "$partial/licences"
touch "$partial/$mark"

# ---- Executables, networks, settings -----------------------------------------------------------
executables=("$build/loopy")
for file in "$build"/loopy-*; do
    [ -f "$file" ] && [ -x "$file" ] && executables+=("$file")
done
cp -L "${executables[@]}" "$partial/bin/"
cp -rL "$build"/loopy_*.resources "$partial/bin/"
cp -r Pipelines Manifests Clusters docs README.md CHANGELOG.md "$partial/"
cp LICENSE NOTICE "$partial/licences/"

font=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
mkdir -p "$partial/share/fonts"
cp "$font" "$partial/share/fonts/"
cat >"$partial/share/fonts/fonts.conf" <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">.</dir>
</fontconfig>
XML

# ---- Libraries ---------------------------------------------------------------------------------
# What is opened by name while running, and stands in no executable's list: OpenVINO's device and
# readers of networks, and, in a CUDA build, libtorch's parts.
opened=("$openvino"/lib*.so*)
for library in "$libtorch"/lib*.so*; do
    case ${library##*/} in
        *python* | *test* | libshm* | libaoti* | libbackend_with_compiler* | *global_deps*) ;;
        *) opened+=("$library") ;;
    esac
done

# The C library is the machine's: it must be the one that the kernel's loader belongs to.
is_of_glibc() {
    case $1 in
        ld-linux* | lib[cm].so.* | libmvec.* | libpthread.* | libdl.* | librt.* | libresolv.* | \
            libutil.* | libanl.* | libnsl.* | libnss_* | libthread_db.*) return 0 ;;
    esac
    return 1
}

# needed FILE...: the paths of all libraries that these need, and those need, each once.
needed() {
    ldd "$@" | awk '/not found/ { print "missing", $1 } $2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u
}

all=$(needed "${executables[@]}" "${opened[@]}")
missing=$(awk '$1 == "missing" { print $2 }' <<<"$all")
[ -z "$missing" ] || fail "the loader does not find $missing"

copied=("$font")
while read -r library; do
    name=${library##*/}
    is_of_glibc "$name" && continue
    [ -e "$partial/lib/$name" ] && continue
    cp -L "$library" "$partial/lib/$name"
    # The folder of a Python package (CUDA's libraries) holds parts that are opened by name.
    case $library in
        */site-packages/nvidia/*) cp -nL "${library%/*}"/lib*.so* "$partial/lib/" ;;
    esac
    copied+=("$(realpath "$library")")
done < <(printf '%s\n' "${opened[@]}" "$all")

# OpenVINO's and libtorch's linkable names are not needed where nothing is linked.
rm -f "$partial/lib/libopenvino_c.so"

# ---- Licences ----------------------------------------------------------------------------------
for package in $(dpkg-query -S "${copied[@]}" 2>/dev/null | cut -d: -f1 | sort -u); do
    cp -L "/usr/share/doc/$package/copyright" "$partial/licences/$package" 2>/dev/null \
        || say "no licence found of the package $package"
done
swift_folder=$(dirname "$(dirname "$(realpath "$(command -v swift)")")")
cp "$swift_folder/share/swift/LICENSE.txt" "$partial/licences/swift" 2>/dev/null \
    || say "no licence found of Swift's libraries"
cp "${libtorch%/torch/lib}"/torch-*.dist-info/licenses/LICENSE "$partial/licences/libtorch" 2>/dev/null \
    || say "no licence found of libtorch"

# ---- Made smaller, and movable -----------------------------------------------------------------
# strip first: it does not know what patchelf adds.
find "$partial/bin" "$partial/lib" -maxdepth 1 -type f -exec chmod u+w {} + \
    -exec strip --strip-unneeded {} +
find "$partial/lib" -type f -exec patchelf --set-rpath '$ORIGIN' {} \;
for executable in "${executables[@]}"; do
    patchelf --set-rpath '$ORIGIN/../lib' "$partial/bin/${executable##*/}"
done

[ ! -e "$prefix/Models" ] || mv "$prefix/Models" "$partial/"
mkdir -p "$partial/Models"
rm -rf "$partial/Models/small"
cp -r Models/small "$partial/Models/"
rm -rf "$prefix.former"
[ ! -e "$prefix" ] || mv "$prefix" "$prefix.former"
mv "$partial" "$prefix"
rm -rf "$prefix.former"
say "$(du -sh "$prefix" | cut -f1) in $prefix"
