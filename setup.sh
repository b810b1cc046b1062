#!/usr/bin/env bash
# Usage: setup.sh PYTHON VENV
# FFmpeg's libraries (for torchcodec), a compiler (pesq has no wheels), Python's venv and headers:
# and a browser (for the test of the page), by apt-get where that is allowed; then the packages,
# as pinned in constraints.txt.
set -euo pipefail
python=$1 venv=$2
cd "$(dirname "$0")"

have_ffmpeg() { ldconfig -p 2>/dev/null | grep -q libavcodec; }
have_compiler() { command -v gcc >/dev/null && "$python" -c \
    'import sysconfig, os, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'; }
have_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
have_browser() { command -v chromium >/dev/null || command -v google-chrome >/dev/null; }

install() {  # Debian packages, all or none
    echo "Installing $* with apt-get"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive bash -c \
        "apt-get update -qq && apt-get install -y -qq --no-install-recommends $*" \
        &>/dev/null || echo "apt-get could not install $*" >&2
}

wanted=()
have_ffmpeg || wanted+=(ffmpeg)
have_compiler || wanted+=(gcc python3-dev)
have_venv || wanted+=(python3-venv)
sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    [ ${#wanted[@]} -eq 0 ] || install "${wanted[@]}"
    have_browser || install chromium  # on its own: not every Debian-like system has it
fi
have_compiler || echo "a C compiler or Python's headers are missing: pesq will not build" >&2
have_browser || echo "there is no Chromium: the test of the page in a browser will be skipped" >&2
have_ffmpeg || echo "FFmpeg's libraries are missing: audio goes through libsndfile" >&2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "dcvae needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 2; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing the Python packages"
"$venv/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,measures]'
# what these name as needs (torchaudio, sounddevice) is of no use here
"$venv/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt --no-deps \
    distillmos xls-r-sqa pocketsphinx
