import os
import types

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_disentangle.callbacks import DirectionTraversal
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.layers import LatentDirections
from keras_disentangle.models import DirectionDiscovery
from keras_disentangle.visualization import (
    direction_frames,
    direction_traversal,
    enlarge,
    image_grid,
)

DIRECTIONS = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], "float32")
LATENTS = np.array([[0.5, -0.5, 1.0], [-1.0, 2.0, 0.0], [1.0, 1.0, 1.0]], "float32")


class Model:
    """The protocol and no more: writes (label, z) into the rows of 64 × 64 pixels."""

    step = 7

    def __init__(self, num_classes=None, labels=None, directions=DIRECTIONS):
        self.space = LatentSpace([Normal(3)])
        self.directions = types.SimpleNamespace(matrix=lambda: ops.convert_to_tensor(directions))
        self.num_classes = num_classes
        self.labels = labels
        self.sizes = []

    def decode(self, z, labels=None):
        assert ops.is_tensor(z)
        z = ops.convert_to_numpy(z)
        self.sizes.append(len(z))
        assert (labels is None) == (self.num_classes is None and self.labels is None)
        labels = np.zeros(len(z), "int32") if labels is None else labels
        assert labels.shape == (len(z),) and labels.dtype == np.int32
        values = np.concatenate([labels[:, None] / 16, z / 16 + 0.5], axis=1)
        return ops.convert_to_tensor(draw_values(values))


def draw_values(values):
    """Images (n, 64, 64, 1) of 4 values each."""
    return values.repeat(16, axis=1)[:, :, None, None].repeat(64, axis=2).astype("float32")


def run(folder, model, epochs=1, **arguments):
    callback = DirectionTraversal(folder, **arguments)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    return folder / "pictures"


def read_picture(path):
    return np.asarray(Image.open(path))[..., None]


def decode_as(classes, num_directions):
    """The decoder that the pictures are to show, with the class of each latent vector."""

    def decode(z):
        labels = np.tile(np.repeat(classes, len(z) // (num_directions * len(classes))), 2)
        return draw_values(np.concatenate([labels[:, None] / 16, z / 16 + 0.5], axis=1))

    return decode


@pytest.mark.parametrize("orthogonal", [True, False])
def test_pictures_of_each_epoch(tmp_path, orthogonal):
    model = Model()
    arguments = {"latents": LATENTS[0], "span": 3, "steps": 5, "orthogonal": orthogonal}
    pictures = run(tmp_path, model, epochs=5, every=2, batch_size=4, **arguments)
    found = sorted(name for name in os.listdir(pictures) if "events" not in name)
    files = [f"epoch_000{epoch}_directions.png" for epoch in (2, 4, 5)]
    assert found == ["directions.gif", *files]
    # One image when training begins, each picture of 2 directions and 5 values, then 25 of them, in
    # batches.
    assert model.sizes == [1] + 3 * [4, 4, 2] + 12 * [4] + [2]

    decode = decode_as([0], 2)
    settings = {"span": 3, "orthogonal": orthogonal}
    expected = direction_traversal(decode, LATENTS[:1], DIRECTIONS, steps=5, **settings)
    for file in files:
        np.testing.assert_array_equal(read_picture(pictures / file), expected)
    events = EventAccumulator(str(pictures)).Reload()
    assert events.Tags()["images"] == ["pictures/directions"]
    assert [event.step for event in events.Images("pictures/directions")] == [7, 7, 7]
    content = (pictures / files[-1]).read_bytes()
    assert events.Images("pictures/directions")[-1].encoded_image_string == content

    frames = direction_frames(decode, LATENTS[:1], DIRECTIONS, **settings)
    with Image.open(pictures / "directions.gif") as gif:
        assert gif.n_frames == len(frames) == 48
        for index in (0, 10, 24, 40):
            gif.seek(index)
            received = np.asarray(gif.convert("L")).astype(int)
            assert np.abs(received - frames[index][..., 0]).max() <= 2


def test_several_latents_from_the_space(tmp_path):
    model = Model()
    pictures = run(tmp_path, model, num_latents=2, steps=3, seed=5)
    latents = ops.convert_to_numpy(model.space.sample(2, seed=5))
    expected = direction_traversal(
        decode_as([0, 0], 2), latents, DIRECTIONS, steps=3, orthogonal=True
    )
    picture = read_picture(pictures / "epoch_0001_directions.png")
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(
    "num_classes, labels, classes",
    [
        (None, (4, 9), [4, 9, 4]),
        (10, (4, 9), [4, 9, 4]),
        (10, (3,), [3, 3, 3]),
        (10, None, None),
        (10, tuple(range(10)), None),
    ],
)
def test_each_latent_has_its_class(tmp_path, num_classes, labels, classes):
    if classes is None:
        classes = np.random.default_rng(2).integers(10, size=3)
        assert len(set(classes)) > 1
    model = Model(num_classes, labels)
    pictures = run(tmp_path, model, epochs=2, latents=LATENTS, steps=3, batch_size=5, seed=2)
    expected = direction_traversal(
        decode_as(classes, 2), LATENTS, DIRECTIONS, steps=3, orthogonal=True
    )
    for epoch in (1, 2):
        picture = read_picture(pictures / f"epoch_000{epoch}_directions.png")
        np.testing.assert_array_equal(picture, expected)
    frames = direction_frames(decode_as(classes, 2), LATENTS, DIRECTIONS, orthogonal=True)
    received = np.asarray(Image.open(pictures / "directions.gif").convert("L")).astype(int)
    assert np.abs(received - frames[0][..., 0]).max() <= 2


def test_first_directions_and_small_images(tmp_path):
    model = Model(directions=np.eye(3, dtype="float32"))
    model.decode = lambda z: ops.reshape(z, (-1, 3, 1, 1)) * np.nan
    del model.space, model.num_classes, model.labels
    pictures = run(tmp_path, model, max_directions=2, latents=LATENTS[0], steps=4)
    picture = read_picture(pictures / "epoch_0001_directions.png")
    # Images of 3 pixels, 32 times as large, and the steps below them.
    assert len(picture) > 2 * (3 * 32 + 1) + 1
    assert (picture[1:97, -33:-1] == 0).all()


def train(callbacks, initial_epoch=0):
    """Learns directions of a generator with classes."""
    z, label = keras.Input((3,)), keras.Input((), dtype="int32")
    initializers = [keras.initializers.GlorotUniform(seed) for seed in (1, 2)]
    x = keras.layers.Concatenate()([z, keras.layers.Embedding(5, 2, initializers[0])(label)])
    x = keras.layers.Dense(36, "sigmoid", kernel_initializer=initializers[1])(x)
    generator = keras.Model([z, label], keras.layers.Reshape((6, 6, 1))(x))
    generator.trainable = False
    directions = LatentDirections(3, 2, seed=3)
    model = DirectionDiscovery(generator, directions, labels=(4, 1), num_classes=5, seed=4)
    model.compile()
    arguments = {"epochs": 3, "initial_epoch": initial_epoch, "verbose": 0}
    model.fit(steps=2, batch_size=4, callbacks=callbacks, **arguments)
    return model


def test_training_goes_as_without_pictures(tmp_path):
    model = train([DirectionTraversal(tmp_path, num_latents=2, steps=3)])
    for variable, other in zip(model.variables, train([]).variables, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(variable), ops.convert_to_numpy(other), variable.path
        )
    events = EventAccumulator(str(tmp_path / "pictures")).Reload()
    assert [event.step for event in events.Images("pictures/directions")] == [2, 4, 6]
    contents = {event.encoded_image_string for event in events.Images("pictures/directions")}
    assert len(contents) == 3  # the directions of each epoch

    z, rows = model.space.sample(2, seed=0), []
    for direction in range(2):
        amounts = (-5.0, 0.0, 5.0)
        edits = [model.edit(z, direction, amount, orthogonal=True) for amount in amounts]
        images = np.stack([ops.convert_to_numpy(model.decode(x, [4, 1])) for x in edits], axis=1)
        rows.append(images.reshape(6, 6, 6, 1))
    images = enlarge(np.concatenate(rows))
    size, gap = images.shape[1], images.shape[1] // 8
    height = 2 * (size + 1) + 1
    picture = read_picture(tmp_path / "pictures" / "epoch_0003_directions.png").astype(int)
    for index in range(2):
        part = picture[index * (height + gap) :][:height, -3 * (size + 1) - 1 :]
        expected = image_grid(images[6 * index : 6 * index + 6], columns=3)
        assert np.abs(part - expected).max() <= 1


def test_nothing_is_written_if_nothing_is_trained(tmp_path):
    train([DirectionTraversal(tmp_path)], initial_epoch=3)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"every": 0}, "`every` must be an integer >= 1. Received: every=0"),
        ({"orthogonal": "no"}, "`orthogonal` must be True or False. Received: orthogonal='no'"),
        ({"span": 0}, "`span` must be a finite number > 0. Received: span=0"),
        ({"steps": 1}, "`steps` must be an integer >= 2. Received: steps=1"),
        ({"num_latents": 0}, "`num_latents` must be an integer >= 1"),
        ({"max_directions": 0}, "`max_directions` must be an integer >= 1"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
        ({"latents": np.zeros((0, 3))}, "`latents` must be None or finite numbers of shape"),
        ({"latents": np.zeros((1, 1, 3))}, "`latents` must be None or"),
        ({"latents": LATENTS * np.nan}, "`latents` must be None or .*nan"),
    ],
)
def test_bad_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        DirectionTraversal(tmp_path, **arguments)


def test_a_file_or_a_model_that_does_not_fit_is_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`log_dir` must be a folder"):
        DirectionTraversal(tmp_path / "file")
    for latents, missing in ((None, "'directions', 'space'"), (LATENTS, "'directions'")):
        callback = DirectionTraversal(tmp_path, latents=latents)
        callback.set_model(types.SimpleNamespace(decode=None))
        with pytest.raises(ValueError, match=rf"`latents` needs a model .* lacks \[{missing}\]"):
            callback.on_train_begin()
    callback = DirectionTraversal(tmp_path, latents=np.zeros((2, 4)))
    callback.set_model(Model())
    with pytest.raises(ValueError, match=r"`latents` must be of shape \(n, 3\).*\(2, 4\)"):
        callback.on_train_begin()
