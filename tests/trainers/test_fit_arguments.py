"""What says how to train is looked at before anything begins, and by its name, in all models."""

import keras
import numpy as np
import pytest
from model_table import MODELS
from tiny_networks import IMAGES

from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.trainers.fit_arguments import fit_arguments

REFUSED = {
    "batch_size": [0, 1.5, "16", True],
    "callbacks": [1, [1], [keras.callbacks.History(), None], "best"],
    "epochs": [0, -1, 2.0, None, 2**70],
    "initial_epoch": [-1, 0.5, None],
    "shuffle": ["batches", 1, None],
    "steps_per_epoch": [0, 2.5, 2**70],
    "validation_batch_size": [0, "16"],
    "validation_freq": [0, 1.5, [0], "2"],
    "validation_split": [2.0, 1.0, -0.1, np.nan, "0.1"],
    "validation_steps": [-1, np.inf],
    "verbose": [-1, 1.5, "loud", None],
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_is_refused_by_name(name):
    for value in REFUSED[name]:
        with pytest.raises(ValueError, match=rf"^`{name}(\[0\])?` must be .* Received: "):
            fit_arguments(IMAGES, **{name: value})


def test_what_keras_takes_is_taken():
    callback = keras.callbacks.History()
    given = {
        "batch_size": np.int64(4),
        "callbacks": callback,
        "epochs": np.int32(2),
        "validation_freq": (1, np.int64(3)),
        "validation_split": None,
        "shuffle": "batch",
        "verbose": False,
    }
    found = fit_arguments(IMAGES, **given)
    assert found.pop("x") is IMAGES
    expected = {**given, "callbacks": [callback], "validation_freq": [1, 3]}
    assert found == {**expected, "validation_split": 0.0}
    assert type(found["epochs"]) is type(found["validation_freq"][1]) is int
    for callbacks in (None, [], keras.callbacks.CallbackList([callback])):
        kept = fit_arguments(callbacks=callbacks, steps_per_epoch=None, batch_size=None)
        assert kept == {"callbacks": callbacks, "steps_per_epoch": None, "batch_size": None}


@pytest.fixture(
    params=[
        "vae_gaussian",
        "teacher_student_vae",
        "discriminative_vae",
        "gan_r1",
        "shift_prediction",
    ]
)
def model(request):
    return MODELS[request.param].build()


@pytest.mark.parametrize(
    "given", [{"callbacks": [1]}, {"epochs": 0}, {"verbose": "loud"}], ids=lambda given: [*given][0]
)
def test_every_model_refuses_it(given, model):
    data = {} if isinstance(model, FrozenGeneratorModel) else {"x": IMAGES}
    [name] = given
    with pytest.raises(ValueError, match=f"^`{name}` must be "):
        model.fit(**data, **given)


def test_so_do_evaluate_and_predict():
    model = MODELS["vae_gaussian"].build()
    for method in (model.evaluate, model.predict):
        for given in ({"steps": 0}, {"callbacks": [1]}, {"batch_size": 0}, {"verbose": -1}):
            [name] = given
            with pytest.raises(ValueError, match=f"^`{name}` must be "):
                method(IMAGES, **given)
