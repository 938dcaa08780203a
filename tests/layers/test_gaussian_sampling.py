import keras
import numpy as np
import pytest
from keras import ops
from tabled_random import noise_table

from keras_disentangle.layers import GaussianSampling

N = 20_000


def test_moments():
    mean, log_var = np.float32([-2.0, 0.0, 3.0]), np.float32([-4.0, 0.0, 1.0])
    draws = GaussianSampling(seed=0)(np.tile(mean, (N, 1)), np.tile(log_var, (N, 1)))
    draws = (ops.convert_to_numpy(draws) - mean) / np.exp(log_var / 2)
    five_errors = 5 / N**0.5
    np.testing.assert_allclose(draws.mean(0), 0, atol=five_errors)
    np.testing.assert_allclose((draws**2).mean(0), 1, atol=five_errors * 2**0.5)
    np.testing.assert_allclose((draws**3).mean(0), 0, atol=five_errors * 15**0.5)
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(3), atol=five_errors)


def test_reparametrisation(tabled_noise):
    mean, log_var = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    draws = ops.convert_to_numpy(GaussianSampling()(mean, log_var))
    np.testing.assert_allclose(draws, mean + np.exp(log_var / 2) * noise_table(3)[:6], rtol=1e-5)


def test_the_seed_decides():
    zeros = np.zeros((8, 2), "float32")

    def two_draws(seed):
        sampling = GaussianSampling(seed=seed)
        return [ops.convert_to_numpy(sampling(zeros, zeros)) for _ in range(2)]

    first, second = two_draws(1)
    np.testing.assert_array_equal((first, second), two_draws(1))
    assert (first != second).all() and (first != two_draws(2)[0]).all()


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_the_state_of_the_noise_is_saved(suffix, tmp_path):
    mean, log_var = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([mean, log_var], GaussianSampling(seed=1)(mean, log_var))
    zeros = [np.zeros((8, 2), "float32")] * 2
    model.predict(zeros, verbose=0)
    path = tmp_path / f"model{suffix}"
    if suffix == ".keras":
        model.save(path)
        loaded = keras.models.load_model(path)
    else:
        model.save_weights(path)
        loaded = keras.Model.from_config(model.get_config())
        loaded.load_weights(path)
    np.testing.assert_array_equal(loaded.predict(zeros, verbose=0), model.predict(zeros, verbose=0))
