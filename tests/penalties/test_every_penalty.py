"""Every penalty in every model that takes it: it trains, is saved, loaded, and goes on."""

import keras
import numpy as np
import pytest
from keras import ops
from penalty_table import PENALTIES, TAKERS
from tiny_training import fit, numbers, weights

from keras_disentangle.callbacks._backup_settings import settings

IS_TORCH = keras.backend.backend() == "torch"
# Compiling takes most of the time: elsewhere, one model of each base.
TAKEN = TAKERS if IS_TORCH else ["gan", "vae"]


def rows_of(name):
    """The rows of the penalties that a model takes."""
    kinds = TAKERS[name].kinds
    rows = [row for row in PENALTIES.values() if name not in row.skipped]
    return [row for row in rows if isinstance(row.build(), kinds)]


@pytest.fixture(scope="module", params=TAKEN)
def trained(request):
    """A model with all penalties that it takes, its logs of a step, and their rows."""
    keras.utils.set_random_seed(0)
    rows = rows_of(request.param)
    model = TAKERS[request.param].build(penalties=[row.build() for row in rows], seed=1)
    return model, fit(model, epochs=1), rows


def test_a_step_of_a_penalty(trained):
    _, history, rows = trained
    for row in rows:
        for name in row.terms:
            assert np.isfinite(history[name]).all(), name
        assert history[row.terms[0]][0] != 0
    names = [name for row in rows for name in row.terms]
    assert len(set(names)) == len(names) and set(names) <= set(history)


def test_a_saved_penalty(trained, tmp_path):
    model, _, rows = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(model.penalties, loaded.penalties, strict=True):
        assert type(a) is type(b) and a.get_config().keys() == b.get_config().keys()
        assert (a.name, a.weight, a.every) == (b.name, b.weight, b.every)
    assert len(loaded.get_config()["penalties"]) == len(rows)
    for variable, a, b in zip(model.weights, weights(model), weights(loaded), strict=True):
        np.testing.assert_array_equal(a, b, variable.path)
    assert settings(loaded, None, []) == settings(model, None, [])
    if IS_TORCH:
        assert fit(loaded, compile_with=False) == fit(model, compile_with=False)
        for a, b in zip(numbers(model.weights), numbers(loaded.weights), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_changed_penalty_is_another_run():
    def found(**changes):
        penalty = PENALTIES["hessian"].build()
        for name, value in changes.items():
            setattr(penalty, name, value)
        return settings(TAKERS["vae"].build(penalties=[penalty]), None, [])

    changed = found(every=3)
    assert [k for k, v in found().items() if changed[k] != v] == ["model.penalties[0].config.every"]


def test_a_penalty_trains_what_it_is_made_of(trained):
    model, *_ = trained
    learnt = [v for layer in model.penalty_layers for v in layer.trainable_variables]
    ids = {id(variable) for variable in model.trainable_variables}
    assert all(id(variable) in ids for variable in learnt)
    for variable in learnt:
        assert (ops.convert_to_numpy(variable) != 0).any()  # They begin at 0.
