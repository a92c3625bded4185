#!/bin/bash
# Print a Python of one of these versions that has venv: $PYTHON if that is set, else one at hand,
# else one that uv downloads, which needs no root. Fails in silence where none can be had.
# Usage: [PYTHON=...] requirements/python.sh VERSION...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
candidates=(python3.{11,12,13} python3 python)
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")

at_hand() {
    local name
    for name in "${candidates[@]}"; do
        "$name" -c 'import ensurepip, sys, venv; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv)' \
            "$@" && echo "$name" && return
    done
    return 1
}

find_uv() { # any Python with pip can install it
    command -v "$PWD/.venv/bin/uv" && return
    command -v uv && return
    python3 -m pip install --quiet --retries 1 --target .boot --require-hashes -r requirements/boot.txt
    echo .boot/bin/uv
}

downloaded() {
    local uv
    uv=$(find_uv) && "$uv" python install --no-bin "$1" && "$uv" python find --managed-python "$1"
}

exec 2> /dev/null
at_hand "$@" || { [ -z "${PYTHON:-}" ] && downloaded "$1"; }
