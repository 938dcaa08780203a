"""The contrastive loss of directions: closed forms, and the published release's numbers."""

import numpy as np
import pytest
from keras import ops

from keras_disentangle.losses import direction_contrast


def numbers(changes, **arguments):
    return ops.convert_to_numpy(direction_contrast(changes, **arguments))


@pytest.mark.one_backend
@pytest.mark.parametrize("temperature", [2.0, 0.5, 0.005])
def test_closed_forms(temperature):
    apart = np.tile(np.eye(3, 5), (4, 1, 1)) * np.array([1.0, 20.0, 0.1])[:, None]
    loss = numbers(apart, temperature=temperature)
    assert loss.shape == (4, 3)
    np.testing.assert_allclose(loss, -1 / temperature, rtol=1e-5)
    # The sense of a change is free.
    np.testing.assert_allclose(numbers(-apart, temperature=temperature), loss, rtol=1e-5)
    alike = np.ones((4, 3, 5))
    np.testing.assert_allclose(numbers(alike, temperature=temperature), 0.0, atol=1e-5)


@pytest.mark.one_backend
def test_opposite_changes():
    changes = np.array([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_allclose(numbers(changes, temperature=1.0), -1.0, rtol=1e-5)
    signed = numbers(changes, temperature=1.0, absolute=False)
    np.testing.assert_allclose(signed[:, 0], 1.0, rtol=1e-5)
    np.testing.assert_allclose(signed[:, 1], -1.0, rtol=1e-5)


def test_by_hand():
    rng = np.random.default_rng(3)
    changes = rng.normal(size=(3, 2, 4))
    unit = changes / np.linalg.norm(changes, axis=-1, keepdims=True)
    expected = np.empty((3, 2))
    for i in range(3):
        for k in range(2):
            like = [np.exp(abs(unit[i, k] @ unit[j, k]) / 2) for j in range(3) if j != i]
            unlike = [np.exp(abs(unit[i, k] @ unit[j, 1 - k]) / 2) for j in range(3)]
            expected[i, k] = -np.log(np.mean(like) / np.mean(unlike))
    np.testing.assert_allclose(numbers(changes), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize("absolute, expected", [(True, -0.18066242), (False, -0.44957632)])
def test_the_published_numbers(absolute, expected):
    """Of the release of LatentCLR, which multiplies similarities by 0.5."""
    rng = np.random.default_rng(11)
    changes = rng.normal(size=(5, 4, 7)) + 2 * rng.normal(size=(1, 4, 7))
    loss = numbers(changes.astype("float32"), absolute=absolute)
    assert loss.mean() == pytest.approx(expected, rel=1e-5)
    assert (loss < 0).all()  # as its accuracy, 1, says


@pytest.mark.one_backend
def test_no_change_is_orthogonal_to_all():
    changes = np.ones((3, 2, 4))
    changes[:, 1] = 0
    # Of its own direction as of the other, none is similar.
    np.testing.assert_allclose(numbers(changes)[:, 1], 0.0, atol=1e-6)
    np.testing.assert_allclose(numbers(changes)[:, 0], -0.5, rtol=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "changes, arguments, message",
    [
        (np.ones((1, 2, 3)), {}, r"`changes` must have .* Received: changes.shape=\(1, 2, 3\)"),
        (np.ones((3, 1, 3)), {}, "at least two examples and two directions"),
        (np.ones((3, 2)), {}, r"`changes` must have the shape \(batch, k, f\)"),
        (np.ones((3, 2, 2)), {"temperature": 0.0}, "`temperature` must be a finite number > 0"),
        (np.ones((3, 2, 2)), {"absolute": 1}, "`absolute` must be True or False"),
    ],
)
def test_arguments(changes, arguments, message):
    with pytest.raises(ValueError, match=message):
        direction_contrast(changes, **arguments)
