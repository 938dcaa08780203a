"""The objective in NumPy, what is drawn, what is learnt, and reconstructors that do not fit."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import Adam
from scipy.special import expit, log_softmax
from tiny_networks import (
    IMAGE_SHAPE,
    conditional_generator,
    network,
    reconstructor,
    two_layer_generator,
)
from tiny_training import fit, numbers

from keras_disentangle.layers import LatentDirections
from keras_disentangle.models import ShiftPrediction

PAIR = (*IMAGE_SHAPE[:-1], 2 * IMAGE_SHAPE[-1])


def prediction(generator=None, recognised_by=None, *arguments, **settings):
    generator = two_layer_generator(4, False) if generator is None else generator
    recognised_by = reconstructor(4) if recognised_by is None else recognised_by
    return ShiftPrediction(generator, recognised_by, *arguments, **{"seed": 1, **settings})


def as_numpy(batch):
    return {key: ops.convert_to_numpy(value) for key, value in batch.items() if value is not None}


@pytest.mark.parametrize("step_weight", [0.25, 2.0])
def test_objective(step_weight):
    model = prediction(
        None, reconstructor(3), LatentDirections(4, 3, seed=2), step_weight=step_weight
    )
    drawn = model.prepare(np.zeros(50, "float32"))
    batch = as_numpy(drawn)
    value = float(numbers([model.objective(drawn, ())])[0])

    a, b, c, d = numbers(model.generator.weights)
    moved = (
        batch["z"] + batch["step"] * ops.convert_to_numpy(model.directions.matrix())[batch["index"]]
    )
    images = [expit(np.tanh(z @ a + b) @ c + d) for z in (batch["z"], moved)]
    hidden, hidden_bias, *heads = numbers(model.reconstructor.weights)
    # Side by side in the channels: the two of a pixel are neighbours.
    x = np.tanh(np.stack(images, axis=-1).reshape(50, -1) @ hidden + hidden_bias)
    logits, step = x @ heads[0] + heads[1], x @ heads[2] + heads[3]
    which = -log_softmax(logits, axis=1)[np.arange(50), batch["index"]].mean()
    how_far = np.abs(step - batch["step"]).mean()
    assert value == pytest.approx(which + step_weight * how_far, rel=1e-4)
    for name, expected in {
        "direction_loss": which,
        "step_loss": how_far,
        "direction_accuracy": (logits.argmax(1) == batch["index"]).mean(),
    }.items():
        assert float(model.trackers[name].result()) == pytest.approx(expected, rel=1e-4), name


@pytest.mark.parametrize("path_size, min_step", [(6.0, 0.5), (2.0, 1.5), (1.0, 0.0), (1.0, 1.0)])
def test_steps_are_not_too_small(path_size, min_step):
    model = prediction(path_size=path_size, min_step=min_step)
    step = as_numpy(model.prepare(np.zeros(4000, "float32")))["step"]
    size = np.abs(step)
    assert step.shape == (4000, 1) and size.min() >= min_step and size.max() <= path_size
    # What is too small becomes as large as it must be, and keeps its sense.
    share = min_step / path_size
    assert np.mean(size == min_step) == pytest.approx(share, abs=0.03)
    assert np.mean(step > 0) == pytest.approx(0.5, abs=0.04)
    assert size.mean() == pytest.approx(path_size * (1 + share**2) / 2, rel=0.05)


def test_it_learns_to_tell_directions_apart():
    """Images show three of six latents, and at first one of three directions.

    The two others do nothing then, and are guessed: two thirds would be right at most.
    """
    shown = np.eye(6)[[0, 4, 5]]
    generator = network((6,), layers.Dense(3, "tanh"), layers.Reshape((1, 1, 3)))
    generator.set_weights([0.5 * shown.T, np.zeros(3)])
    generator.trainable = False
    images = keras.Input((1, 1, 6))
    x = layers.Dense(32, "relu")(layers.Dense(32, "relu")(layers.Flatten()(images)))
    recognised_by = keras.Model(images, [layers.Dense(3)(x), layers.Dense(1)(x)])
    model = prediction(generator, recognised_by, LatentDirections(6, 3, initializer="axes"))
    model.compile(Adam(0.01))
    history = model.fit(75, batch_size=32, epochs=4, verbose=0).history
    accuracy, step_loss = history["direction_accuracy"], history["step_loss"]
    assert accuracy[0] < 0.75 and accuracy[-1] > 0.9
    assert step_loss[-1] < 0.5 * step_loss[0]
    found = ops.convert_to_numpy(model.directions.matrix())
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-5)
    # What they move is shown now.
    assert np.mean(np.sum((found @ shown.T) ** 2, axis=1)) > 0.5


def test_both_networks_move_and_the_generator_does_not():
    x = keras.Input(PAIR)
    hidden = layers.BatchNormalization()(layers.Dense(6)(layers.Flatten()(x)))
    recognised_by = keras.Model(x, [layers.Dense(2)(hidden), layers.Dense(1)(hidden)])
    model = prediction(
        conditional_generator(6, 4),
        recognised_by,
        LatentDirections(6, block="fine"),
        labels=(3, 1),
        num_classes=4,
    )
    parts = (model.generator, model.directions, model.reconstructor)
    before = [numbers(part.weights) for part in parts]
    fit(model)
    for part, values in zip(parts, before, strict=True):
        for variable, old in zip(part.weights, values, strict=True):
            changed = (ops.convert_to_numpy(variable) != old).any()
            # So do the statistics of the reconstructor.
            assert changed == (part is not model.generator), variable.path
    assert model.sample(3).shape == (3, *IMAGE_SHAPE)


def test_by_default_it_is_trained_as_by_the_authors():
    model = prediction()
    model.compile()
    (optimizer,) = model.optimizer.slots.values()
    assert isinstance(optimizer, Adam)
    assert float(optimizer.learning_rate) == pytest.approx(1e-4)
    assert (model.path_size, model.min_step, model.step_weight) == (6.0, 0.5, 0.25)


def heads(*units, shape=PAIR):
    x = keras.Input(shape)
    flat = layers.GlobalAveragePooling2D()(x)
    outputs = [layers.Dense(n)(flat) for n in units]
    return keras.Model(x, outputs[0] if len(outputs) == 1 else outputs)


def test_images_of_any_size():
    prediction(None, heads(4, 1, shape=(None, None, 2)))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: prediction(None, heads(3, 1)),
            r"of the shapes \[\(4,\), \(1,\)\] .* Received: \[\(3,\), \(1,\)\]",
        ),
        (lambda: prediction(None, heads(4)), r"\[logits, step\].* Received: \(4,\)"),
        (lambda: prediction(None, heads(4, 2)), r"\[logits, step\].* Received: .*\(2,\)"),
        (lambda: prediction(None, heads(4, 1, 1)), r"\[logits, step\].* Received: "),
        (lambda: prediction(None, layers.Dense(4)), "`reconstructor` must be a built Keras model"),
        (
            lambda: prediction(None, heads),
            "`reconstructor` must be a built Keras model .* Received: .*function heads",
        ),
        (
            lambda: prediction(None, heads(4, 1, shape=IMAGE_SHAPE)),
            r"two images of .* channels, \(8, 8, 2\). Received: .*\(8, 8, 1\)",
        ),
        (
            lambda: prediction(None, heads(4, 1, shape=(8, 4, 2))),
            r"`reconstructor` must take two images .* Received: .*\(8, 4, 2\)",
        ),
        (lambda: prediction(min_step=-1), "`min_step` must be a finite number >= 0"),
        (
            lambda: prediction(path_size=2.0, min_step=3.0),
            "`min_step` must be at most `path_size`, 2.0. Received: min_step=3.0",
        ),
        (lambda: prediction(step_weight=-1), "`step_weight` must be a finite number >= 0"),
        (lambda: prediction(two_layer_generator(4)), "`generator` must be frozen"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
