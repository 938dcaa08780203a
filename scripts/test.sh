#!/usr/bin/env bash
# Runs the style checks and all tests, from a fresh clone, on every backend.
#
#   bash scripts/test.sh                       all backends
#   KERAS_BACKEND=jax bash scripts/test.sh     one of tensorflow, jax, torch
#   bash scripts/test.sh tests/models -x       arguments go to pytest
#
# Tests on real data read the folder KERAS_DISENTANGLE_DATA; without it they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

case "${KERAS_BACKEND:-all}" in
all) backends=(tensorflow jax torch) ;;
tensorflow | jax | torch) backends=("$KERAS_BACKEND") ;;
*)
    echo "KERAS_BACKEND must be tensorflow, jax or torch. Received: $KERAS_BACKEND" >&2
    exit 2
    ;;
esac

# Pinned, because the newest release may bring gigabytes of CUDA libraries along.
environment .venv-test tensorflow,jax,datasets,stream,cv,hub,checkpoints,export,test torch==2.13.0

# Small operations run slower on several threads than on one.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" JAX_PLATFORMS="${JAX_PLATFORMS:-cpu}"

failed=()
ruff check . || failed+=("ruff check")
ruff format --check . || failed+=("ruff format")
python scripts/_run_tests.py "${backends[*]}" "$@" || failed+=("tests")

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
