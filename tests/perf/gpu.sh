#!/bin/sh
# Check the networks on a GPU, on a machine that reaches no package index and no model hub (docs/running.md).
#
#   tests/perf/gpu.sh pack FOLDER WHISPER   collect wheels, and the encoder of a Whisper checkpoint
#   tests/perf/gpu.sh run FOLDER [DEVICE]   install the wheels, and check DEVICE (default: cuda)
#
# `pack` is for another machine, and reads PYTHON, the version there, and PACK: `all` packs torch for CUDA and all else
# (3.5 GB), `few` (the default) what a machine with torch, transformers and scikit-learn lacks (4 MB).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
few="audioread cffi decorator lazy-loader librosa msgpack msgspec platformdirs pooch pycparser skorch soundfile soxr"
few="$few audiomentations numpy-minmax numpy-rms python-stretch"

pack() {
    whisper=${3:?the folder of a Whisper checkpoint}
    version=${PYTHON:-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
    mkdir -p "$2/wheels"
    python3 -m pip wheel --quiet --no-deps --wheel-dir "$2/wheels" "$root"
    python3 "$root/tests/perf/gpu.py" pack "$2" "$whisper"
    cp "$root/tests/perf/gpu.py" "$root/tests/perf/gpu.sh" "$2"
    if [ "${PACK:-few}" = all ]; then
        wanted="$root[neural]"
    else
        wanted="--no-deps $few"
    fi
    for n in 17 24 27 28 31 34; do platforms="${platforms:-} --platform manylinux_2_${n}_x86_64"; done
    # shellcheck disable=SC2086  # words
    python3 -m pip download --quiet --only-binary=:all: --python-version "$version" $platforms \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --constraint "$root/constraints.txt" \
        --dest "$2/wheels" $wanted
    du -sh "$2"
}

run() {
    site=$(mktemp -d)
    trap 'rm -rf "$site"' EXIT
    python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$2"/wheels/*.whl
    PYTHONPATH=$site python3 "$(dirname "$0")/gpu.py" run "$2" "${3:-cuda}"
}

case ${1:-} in
pack | run) "$1" "$@" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
