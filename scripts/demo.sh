#!/usr/bin/env bash
# Trains pro-VLAE on dSprites, from a fresh clone to a table of scores and pictures.
#
#   bash scripts/demo.sh                      about ten minutes on two CPU cores
#   KERAS_BACKEND=jax bash scripts/demo.sh    each step takes 1.7 times as long there
#
# Everything goes to runs/demo; flags of `keras-disentangle train provlae` may follow (--seed 1).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

export KERAS_BACKEND="${KERAS_BACKEND:-tensorflow}"
case "$KERAS_BACKEND" in
tensorflow | jax) environment ".venv-$KERAS_BACKEND" "$KERAS_BACKEND" ;;
# Pinned, because the newest release may bring gigabytes of CUDA libraries along.
torch) environment .venv-torch torch torch==2.13.0 ;;
*)
    echo "KERAS_BACKEND must be tensorflow, jax or torch. Received: $KERAS_BACKEND" >&2
    exit 2
    ;;
esac
[ "$KERAS_BACKEND" != jax ] ||
    echo "JAX on a CPU takes about 1.7 times as long a step as TensorFlow."

python -m keras_disentangle train provlae --recipe demo --log-dir runs/demo "$@"
