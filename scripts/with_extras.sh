#!/usr/bin/env bash
# Runs Python with the extras whose packages take others from those of the tests' environment.
#
#   bash scripts/with_extras.sh -m pytest -m extra tests/explorer
#
# Needs .venv-test, which test.sh makes; what is not here is taken from there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

environment_beside .venv-extras .venv-test explore,export-jax,mlflow,tune,wandb

# Tests that need an extra fail rather than be skipped.
KERAS_DISENTANGLE_EXTRAS=1 exec .venv-extras/bin/python "$@"
