#!/usr/bin/env bash
# Make .venv hold exactly what requirements.txt (and with "dev" the dev group of
# pyproject.toml) asks for. Does nothing, fast, when nothing changed since the last time.
#
#   deploy/bootstrap.sh runtime|dev
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=${1:-runtime}
python=${PYTHON:-python3}
pip_version=25.3 # the first with dependency groups that Debian 12's own pip can install
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

key=$(cat requirements.txt pyproject.toml "$0" | sha256sum | cut -d' ' -f1)
# A dev environment holds all of a runtime one.
stamped() { [ -x .venv/bin/python ] && [ "$(cat ".venv/stamp-$1" 2>/dev/null)" = "$key" ]; }
if stamped dev || stamped "$wanted"; then
    exit 0
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Gantry needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"

# Two starts at once must not install into the same place at the same time.
mkdir -p .venv
exec 9<.venv
flock 9
if stamped dev || stamped "$wanted"; then
    exit 0
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian ships Python without the means to make a virtual environment.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv …"
        apt_get() {
            DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" \
                </dev/null >/dev/null
        }
        apt_get update
        apt_get install -y --no-install-recommends python3-venv
    else
        fail "Python's venv module is incomplete here; run: sudo apt-get install python3-venv"
    fi
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    say "Making the virtual environment …"
    "$python" -m venv --clear .venv
fi
say "Installing Python packages …"
.venv/bin/python -m pip install --quiet "pip==$pip_version"
packages=(-r requirements.txt)
if [ "$wanted" = dev ]; then
    packages+=(--group dev)
fi
.venv/bin/python -m pip install --quiet "${packages[@]}"
printf '%s\n' "$key" >".venv/stamp-$wanted"
