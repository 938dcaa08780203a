"""The logit of a projection discriminator."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import ProjectionHead

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(6, 5)).astype("float32")
LABELS = np.array([0, 2, 1, 2, 0, 1])
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
VECTORS = RNG.normal(size=(6, 2)).astype("float32")


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    "num_classes, labels, rows",
    [
        (3, LABELS, ONE_HOT),
        (3, LABELS[:, None], ONE_HOT),
        (3, ONE_HOT, ONE_HOT),
        (None, VECTORS, VECTORS),
    ],
)
def test_equation_3(spectral, num_classes, labels, rows):
    head = ProjectionHead(num_classes, spectral)
    found = ops.convert_to_numpy(head(FEATURES, labels))
    kernels = [ops.convert_to_numpy(layer.kernel) for layer in (head.projection, head.logit)]
    if spectral:
        sigmas = [float(layer.sigma()) for layer in (head.projection, head.logit)]
        # A vector's singular value is its length, which one iteration finds.
        assert sigmas[1] == pytest.approx(np.linalg.norm(kernels[1]), rel=1e-4)
        kernels = [kernel / sigma for kernel, sigma in zip(kernels, sigmas, strict=True)]
    v, psi = kernels
    expected = ((rows @ v) * FEATURES).sum(1, keepdims=True) + FEATURES @ psi
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_feature_maps_are_summed_over_their_pixels():
    maps = RNG.normal(size=(6, 2, 3, 5)).astype("float32")
    head = ProjectionHead(3)
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(head(x, LABELS)) for x in (maps, maps.sum((1, 2)))),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_class_out_of_range(wrong):
    """It is refused where it is known, and has no projection in a compiled function."""
    head, labels = ProjectionHead(3), np.where(np.arange(6) == 4, wrong, LABELS)
    known = ops.convert_to_numpy(head(FEATURES, LABELS))
    with pytest.raises(ValueError, match=f"from 0 to 2. Received: {wrong} among 6 labels"):
        head(FEATURES, labels)
    if keras.backend.backend() != "torch":
        found = compiled(lambda labels: head(FEATURES, labels), labels)
        plain = ops.convert_to_numpy(head.logit(FEATURES))
        np.testing.assert_allclose(found, np.where(np.arange(6)[:, None] == 4, plain, known), 1e-5)


def compiled(fn, x):
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(fn)(x))
    import tensorflow as tf

    return tf.function(fn)(tf.constant(x)).numpy()


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ProjectionHead(1), "`num_classes` must be an integer >= 2"),
        (lambda: ProjectionHead(3, spectral=1), "`spectral` must be True or False"),
        (lambda: ProjectionHead()(FEATURES, LABELS), "for integers, give `num_classes`"),
        (lambda: ProjectionHead(4)(FEATURES, ONE_HOT), r"one-hot vectors \(batch, 4\)"),
        (lambda: ProjectionHead(3)(FEATURES[:, 0], LABELS), r"`features` must be a tensor \(batch"),
        (lambda: ProjectionHead(3)(FEATURES[1:], LABELS), "the same number of examples"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
