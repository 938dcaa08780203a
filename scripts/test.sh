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
environment .venv-test tensorflow,jax,datasets,checkpoints,test torch==2.13.0

# Small operations run slower on several threads than on one.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" JAX_PLATFORMS="${JAX_PLATFORMS:-cpu}"

failed=()
ruff check . || failed+=("ruff check")
ruff format --check . || failed+=("ruff format")

# What computes with NumPy alone is tested under the first backend.
numpy_alone=(--ignore=tests/metrics --ignore=tests/datasets --ignore=tests/visualization
    --ignore=tests/test_floors.py)
first=${backends[0]} others=("${backends[@]:1}")

# The backends run side by side, since a test keeps one core busy; the others print at the end.
logs=$(mktemp -d)
processes=()
trap 'kill ${processes[@]+"${processes[@]}"} 2>/dev/null || true; rm -rf "$logs"' EXIT
trap 'exit 130' INT
for backend in ${others[@]+"${others[@]}"}; do
    KERAS_BACKEND=$backend python -m pytest -q "${numpy_alone[@]}" "$@" >"$logs/$backend" 2>&1 &
    processes+=($!)
done
echo "== $first"
KERAS_BACKEND=$first python -m pytest -q "$@" || failed+=("$first")
for i in ${others[@]+"${!others[@]}"}; do
    status=0
    wait "${processes[i]}" || status=$?
    unset "processes[i]"
    echo "== ${others[i]}"
    cat "$logs/${others[i]}"
    # Where only tests of NumPy were asked for, these backends find none (5).
    [ "$status" -eq 0 ] || [ "$status" -eq 5 ] || failed+=("${others[i]}")
done

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
