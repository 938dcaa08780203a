"""What takes a decoder and its latent space takes those of every model."""

import numpy as np
import pytest
from model_table import MODELS
from tiny_training import numbers

from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.metrics import activeness, latent_information, perceptual_path_length
from keras_disentangle.models import LadderVAE, VariationalModel
from keras_disentangle.visualization import code_traversal, latent_traversal, rung_samples

CODES = np.random.default_rng(0).normal(size=(4, 9)).astype("float32")
NAMES = ["vae_bernoulli", "ladder_vae", "progressive_ladder_vae", "progressive_gan", "info_gan"]


@pytest.fixture(params=NAMES, scope="module")
def model(request):
    return MODELS[request.param].build()


def test_every_model_has_one(model):
    assert isinstance(model.space, LatentSpace) and model.space.dim == model.latent_dim
    if isinstance(model, VariationalModel):
        levels = [str(level) for level in range(len(model.rung_sizes), 0, -1)]
        assert model.space.names == tuple(levels if isinstance(model, LadderVAE) else ["normal"])
        assert model.rung_sizes == tuple(code.dim for code in model.space.codes)
        assert all(isinstance(code, Normal) and code.informative for code in model.space.codes)
        with pytest.raises(AttributeError):
            model.rung_sizes = (1, 2)


def test_metrics_and_pictures_take_it(model):
    settings = {"num_samples": 2, "num_values": 2, "batch_size": 8}
    scores = activeness(model.decode, model.space, **settings)
    assert scores.shape == (model.latent_dim,) and np.isfinite(scores).all()

    def distance(a, b):
        return np.square(a.astype("float64") - b).mean(axis=(1, 2, 3))

    settings = {"num_samples": 4, "epsilon": 1e-2, "batch_size": 8, "percentiles": (0, 100)}
    length = perceptual_path_length(model.decode, model.space, distance, **settings)
    assert np.isfinite(list(length.values()) if isinstance(length, dict) else length).all()
    side, bare = model.image_shape[0] + 1, {"height": 1, "value_labels": False}
    for name in model.space.names:
        picture = code_traversal(model.decode, model.space, name, rows=2, steps=3, **bare)
        assert picture.shape[0] == 2 * side + 1


def test_rungs_are_the_codes_of_a_space():
    model = MODELS["progressive_ladder_vae"].build()
    codes = CODES[:, : model.latent_dim]
    exact = {"codes": codes, "num_values": 2}
    by_space, by_width = (
        activeness(model.decode, space, **exact) for space in (model.space, model.latent_dim)
    )
    np.testing.assert_array_equal(by_space, by_width)
    parts = numbers(model.split(codes))
    for part, (name, cut) in zip(parts, model.space.slices.items(), strict=True):
        np.testing.assert_array_equal(part, codes[:, cut])
        assert part.shape[1] == model.space[name].dim
    settings = {"num_samples": 20, "rungs": model.rung_sizes}
    found = latent_information(codes, 0 * codes - 1, **settings)
    assert latent_information(codes, 0 * codes - 1, **settings | {"rungs": model.space}) == found
    for draw in (latent_traversal, rung_samples):
        pictures = [
            draw(model.decode, codes[0], rungs=rungs) for rungs in (model.rung_sizes, model.space)
        ]
        np.testing.assert_array_equal(*pictures)
