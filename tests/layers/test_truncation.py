import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.layers import Truncation


def rows(layer):
    """The weights that are not 0, by their rows."""
    weights = ops.convert_to_numpy(layer(np.zeros((2, 3), "float32")))
    assert weights.shape == (1, layer.num_statistics) and weights.dtype == "float32"
    return {int(row): float(weights[0, row]) for row in np.flatnonzero(weights[0])}


@pytest.mark.parametrize(
    "truncation, published, linear",
    [
        (1.0, {50: 1.0}, {50: 1.0}),
        (0.4, {20: 1.0}, {20: 1.0}),
        (0.02, {1: 1.0}, {1: 1.0}),
        (0.01, {0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.5}),
        (0.405, {20: 0.25, 21: 0.75}, {20: 0.75, 21: 0.25}),
        (0.5, {25: 1.0}, {25: 1.0}),
        (0.995, {49: 0.75, 50: 0.25}, {49: 0.25, 50: 0.75}),
        # Just behind row 7 in double precision, so nearly all of row 8 where weights are swapped.
        (0.14, {8: 1.0}, {7: 1.0}),
    ],
)
def test_the_weights_of_the_rows(truncation, published, linear):
    for interpolation, expected in (("published", published), ("linear", linear)):
        layer = Truncation(interpolation=interpolation)
        layer.set(truncation)
        found = {row: weight for row, weight in rows(layer).items() if weight > 1e-12}
        assert found == pytest.approx(expected, abs=1e-5)
        assert layer.get() == truncation


def test_the_published_formula():
    """`modf(truncation / step)`, then the mixture of the two rows."""
    layer, table = Truncation(), np.random.default_rng(0).normal(size=(51, 2))
    for truncation in np.linspace(0.001, 1.0, 25):
        coefficient, start = math.modf(truncation / (1.0 / 50))
        start = int(start)
        mixed = table[start]
        if coefficient != 0.0:
            mixed = table[start] * coefficient + table[start + 1] * (1 - coefficient)
        layer.set(float(truncation))
        weights = ops.convert_to_numpy(layer.row_weights)
        np.testing.assert_allclose((weights @ table)[0], mixed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("num_statistics", [2, 3, 50, 99])
def test_other_numbers_of_rows(num_statistics):
    layer = Truncation(num_statistics, "linear")
    assert rows(layer).keys() <= {num_statistics - 2, num_statistics - 1}
    layer.set(0.3)
    place = sum(row * weight for row, weight in rows(layer).items())
    np.testing.assert_allclose(place / (num_statistics - 1), 0.3, rtol=1e-5)


def test_it_is_set_saved_and_not_recompiled(tmp_path):
    z = keras.Input((3,))
    layer = Truncation(5, "linear", name="truncation")
    model = keras.Model(z, z * layer(z)[:, 2:3])
    ones = np.ones((2, 3), "float32")
    assert (model.predict(ones, verbose=0) == 0).all()
    compiled = model.predict_function
    layer.set(0.625)
    assert (model.predict(ones, verbose=0) == 0.5).all() and model.predict_function is compiled
    assert not model.trainable_variables and len(model.non_trainable_variables) == 2

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("truncation").get() == 0.625
    assert rows(loaded.get_layer("truncation")) == {2: 0.5, 3: 0.5}


def test_half_precision_leaves_the_weights_in_float32():
    layer = Truncation(dtype="mixed_bfloat16")
    layer.set(0.123)
    assert sum(rows(layer).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("truncation", [0, -0.5, 1.01, float("nan"), "a", None, True])
def test_bad_truncations_change_nothing(truncation):
    layer = Truncation()
    layer.set(0.5)
    message = rf"`truncation` must be a number in \(0, 1\]. Received: truncation={truncation!r}"
    with pytest.raises(ValueError, match=message):
        layer.set(truncation)
    assert layer.get() == 0.5 and rows(layer) == {25: 1.0}


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`num_statistics` must be an integer >= 2. Rec.*=1"):
        Truncation(1)
    with pytest.raises(ValueError, match="`interpolation` must be one of .* Received: .*'cubic'"):
        Truncation(interpolation="cubic")
