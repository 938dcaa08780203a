import numpy as np
import pytest
import tiny_networks
import tiny_training

from keras_disentangle.models import ProgressiveLadderVAE


@pytest.fixture
def evaluate(tabled_noise):
    """Loss and terms of a model on the images, at its present step, with tabled noise."""

    def terms(model, images=tiny_networks.IMAGES):
        if not model.compiled:
            model.compile("adam")
        return model.evaluate(images, batch_size=len(images), return_dict=True, verbose=0)

    return terms


@pytest.fixture
def progressive():
    """Three rungs: 3, 2 and 4 latents; rung 2 joins at step 4, rung 1 at step 8."""
    model = ProgressiveLadderVAE(**tiny_networks.dense_ladder(), beta=2.0, gamma=0.5, seed=1)
    tiny_training.assign_by_hand(model)
    model.ramps["alpha_2"].set(0.0, 1.0, 4, 4)
    model.ramps["alpha_1"].set(0.0, 1.0, 8, 4)
    model.ramps["beta"].set(2.0, 6.0, 0, 10)
    return model


@pytest.fixture
def assert_terms():
    """Compares logged terms with expected ones."""

    def compare(received, expected):
        assert set(received) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(received[name], value, rtol=2e-5, atol=1e-6, err_msg=name)

    return compare
