"""Encoding, decoding and sampling: shapes, order and seeds."""

import keras
import numpy as np
import pytest
from keras import ops
from model_table import MODELS, VAES
from tiny_networks import IMAGES, dense_ladder
from tiny_training import fit

from keras_disentangle.models import ProgressiveLadderVAE

# A few steps each; the compiled ones of every model are those of the shared table.
pytestmark = pytest.mark.compiled(False)


@pytest.mark.parametrize("name", VAES)
def test_shapes(name):
    model = VAES[name].build()
    d = model.latent_dim
    assert sum(model.rung_sizes) == d
    mean, log_var = model.encode(IMAGES[:5])
    assert tuple(mean.shape) == tuple(log_var.shape) == (5, d)
    codes = np.random.default_rng(0).normal(size=(3, d)).astype("float32")
    for images, n in (
        (model.decode(codes), 3),
        (model.reconstruct(IMAGES[:5]), 5),
        (model.sample(4), 4),
    ):
        assert tuple(images.shape) == (n, *model.image_shape)
        if model.observation.in_unit_interval:
            images = ops.convert_to_numpy(images)
            assert 0 <= images.min() and images.max() <= 1
    reconstruction = ops.convert_to_numpy(model.reconstruct(IMAGES[:5]))
    decoded = ops.convert_to_numpy(model.decode(mean))
    np.testing.assert_array_equal(reconstruction, decoded)


def test_samples_follow_their_seed():
    model = MODELS["ladder_vae"].build()
    first, same, other = (ops.convert_to_numpy(model.sample(4, seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_codes_are_ordered_from_the_most_abstract_rung_down():
    model = ProgressiveLadderVAE(**dense_ladder())
    assert model.rung_sizes == (3, 2, 4)
    outputs = model(IMAGES)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "reconstruction": IMAGES.shape,
        "code": (16, 9),
        "mean": (16, 9),
        "log_var": (16, 9),
    }
    parts = model.split(outputs["mean"])
    assert [part.shape[1] for part in parts] == [3, 2, 4]
    h = IMAGES
    for block, posterior, part in zip(
        model.encoder_blocks, model.posteriors, parts[::-1], strict=True
    ):
        h = block(h)
        mean = ops.convert_to_numpy(posterior(h))[:, : part.shape[1]]
        np.testing.assert_allclose(ops.convert_to_numpy(part), mean, rtol=1e-5, atol=1e-6)


def test_equal_seeds_give_equal_trainings():
    def history(seed):
        keras.utils.set_random_seed(0)
        model = ProgressiveLadderVAE(**dense_ladder(), seed=seed)
        return fit(model, epochs=2)["loss"]

    first = history(3)
    assert history(3) == first and history(4) != first


def test_the_step_counts_training_alone():
    model = MODELS["vae_bernoulli"].build()
    model.compile("adam")
    model.evaluate(IMAGES, verbose=0)
    model.predict(IMAGES, verbose=0)
    assert int(model.step) == 0
    fit(model, epochs=2, batch_size=5, compile_with=False, validation_data=(IMAGES,))
    assert int(model.step) == 8  # 16 images make 3 batches of 5 and one of 1


def test_training_in_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MODELS["progressive_ladder_vae"].build()
        history = fit(model, epochs=3)
        posterior = model.encode(IMAGES)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert all(ops.convert_to_numpy(part).dtype == np.float32 for part in posterior)
    np.testing.assert_allclose(history["alpha_1"], [0.25, 0.25 + 0.75 / 8, 0.4375], rtol=1e-6)
