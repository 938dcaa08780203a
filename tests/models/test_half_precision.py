"""In mixed_bfloat16 models reach the losses of float32; `scripts/precision_table.py` has all."""

import keras
import pytest
from model_table import MODELS
from tiny_training import LARGEST_DIFFERENCE, in_both_precisions

# Where most could go wrong: a ladder with a penalty of second differences, logarithms of variances
# and of densities, discrete codes, running statistics, growth.
NAMES = ["ladder_vae_hessian", "factor_vae", "qlae", "info_gan", "progressive_gan"]


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="others compile every training")
@pytest.mark.parametrize("name", NAMES)
def test_mixed_bfloat16_reaches_the_losses_of_float32(name):
    for loss, (_, wide, narrow, difference) in in_both_precisions(MODELS[name], steps=15).items():
        assert difference <= LARGEST_DIFFERENCE, loss
        assert wide != narrow  # It was computed in another precision.
