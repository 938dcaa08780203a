import os
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_disentangle.callbacks.latent_traversal import LatentTraversal
from keras_disentangle.latents import Categorical, LatentSpace, Normal, Uniform
from keras_disentangle.latents.as_space import space_of_rungs
from keras_disentangle.visualization import (
    latent_traversal,
    reconstruction_grid,
    rung_samples,
)

IMAGES = np.random.default_rng(0).random((24, 8, 8, 1), dtype="float32")


class TinyVAE(keras.Model):
    """The least model that keeps the protocol and draws random numbers while it trains."""

    rung_sizes = (2, 1)
    latent_dim = 3

    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(6, kernel_initializer=keras.initializers.GlorotUniform(1)),
            ]
        )
        self.decoder = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(
                    64, "sigmoid", kernel_initializer=keras.initializers.GlorotUniform(2)
                ),
                keras.layers.Reshape((8, 8, 1)),
            ]
        )
        self.random = keras.random.SeedGenerator(3)
        self.step = keras.Variable(0, dtype="int32", trainable=False, name="step")

    def encode(self, x, training=False):
        return ops.split(self.encoder(x, training=training), 2, axis=-1)

    def decode(self, z):
        return self.decoder(z)

    def call(self, x, training=False):
        mean, log_var = self.encode(x, training)
        noise = keras.random.normal(ops.shape(mean), seed=self.random)
        return self.decode(mean + ops.exp(0.5 * log_var) * noise)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            self.step.assign_add(1)
        return ops.mean(ops.square(x - y_pred))


def train(callbacks, epochs=3):
    model = TinyVAE()
    model.compile("adam")
    model.fit(IMAGES, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def test_pictures_show_the_model_and_change_nothing(tmp_path):
    callback = LatentTraversal(tmp_path, every=2, images=IMAGES, steps=5, num_samples=4)
    model = train([callback])
    pictures = tmp_path / "pictures"
    names = ["reconstructions", "rung_samples", "traversal"]
    files = [f"epoch_000{epoch}_{name}.png" for epoch in (2, 3) for name in names]
    found = sorted(os.listdir(pictures))
    assert [name for name in found if "events" not in name] == [*files, "traversal.gif"]

    def decode(latents):
        return ops.convert_to_numpy(model.decode(ops.convert_to_tensor(latents)))

    mean = ops.convert_to_numpy(model.encode(ops.convert_to_tensor(IMAGES))[0])
    expected = {
        "traversal": latent_traversal(decode, mean[0], steps=5, rungs=(2, 1)),
        "rung_samples": rung_samples(decode, mean[0], (2, 1), num=4),
        "reconstructions": reconstruction_grid(IMAGES[:16], decode(mean[:16])),
    }
    events = EventAccumulator(str(pictures)).Reload()
    assert sorted(events.Tags()["images"]) == [f"pictures/{name}" for name in names]
    for name, picture in expected.items():
        saved = np.asarray(Image.open(pictures / f"epoch_0003_{name}.png")).astype(int)
        assert np.abs(saved - picture[..., 0]).max() <= 1
        assert [event.step for event in events.Images(f"pictures/{name}")] == [6, 9]
        assert (
            events.Images(f"pictures/{name}")[1].encoded_image_string
            == (pictures / f"epoch_0003_{name}.png").read_bytes()
        )
    assert Image.open(pictures / "traversal.gif").n_frames > 5

    # The same training without pictures ends in the same state, random numbers and all.
    for variable, other in zip(model.variables, train([]).variables, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(variable), ops.convert_to_numpy(other), variable.path
        )


def test_without_images_the_traversal_sets_out_from_zero(tmp_path):
    model = train([LatentTraversal(tmp_path, every=5)], epochs=1)
    pictures = tmp_path / "pictures"
    assert not (pictures / "epoch_0001_reconstructions.png").exists()
    expected = latent_traversal(
        lambda latents: ops.convert_to_numpy(model.decode(ops.convert_to_tensor(latents))),
        np.zeros(3),
        rungs=(2, 1),
    )
    saved = np.asarray(Image.open(pictures / "epoch_0001_traversal.png")).astype(int)
    assert np.abs(saved - expected[..., 0]).max() <= 1


def test_a_plain_model_without_rungs_or_step_and_with_odd_pixels(tmp_path):
    def decode(latents):  # NaN, and numbers on both sides of [0, 1]
        values = ops.repeat(ops.reshape(latents[:, 0], (-1, 1, 1, 1)), 192, axis=1)
        return ops.reshape(ops.where(values > 2, np.nan, values), (-1, 8, 8, 3))

    model = types.SimpleNamespace(decode=decode, latent_dim=2)
    callback = LatentTraversal(tmp_path, span=3, steps=4)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    callback.on_train_end()
    saved = np.asarray(Image.open(tmp_path / "pictures" / "epoch_0001_traversal.png"))
    assert saved.shape[2] == 3
    first_row = saved[1:97, -389:]  # 4 images of 8 × 8 pixels, 12 times as large, and 5 lines
    assert [first_row[48, 48 + 97 * column, 0] for column in range(4)] == [0, 0, 255, 0]
    events = EventAccumulator(str(tmp_path / "pictures")).Reload()
    assert [event.step for event in events.Images("pictures/rung_samples")] == [1]


class CodeModel:
    """The least model with a latent space: a row of pixels for each latent dimension."""

    space = LatentSpace([Normal(2), Categorical(6), Uniform(2, 0, 4), Uniform(1, name="pose")])

    def decode(self, latents):
        pixels = ops.reshape(latents / 10 + 0.5, (-1, 11, 1, 1))
        return ops.repeat(pixels, 11, axis=2)


def draw_codes(folder, model, **arguments):
    callback = LatentTraversal(folder, **arguments)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    callback.on_train_end()
    files = [name for name in os.listdir(folder / "pictures") if "events" not in name]
    assert files == ["epoch_0001_traversal.png"]
    return np.asarray(Image.open(folder / "pictures" / files[0])).astype("float32")


@pytest.mark.parametrize("steps", [4, 8])
def test_codes_of_a_latent_space(tmp_path, steps):
    model = CodeModel()
    picture = draw_codes(tmp_path, model, steps=steps, seed=5)
    start = ops.convert_to_numpy(model.space.sample(1, seed=5))[0]
    expected = [
        model.space.traversal(start, "categorical"),
        model.space.traversal(start, "uniform", dim=0, steps=steps),
        model.space.traversal(start, "uniform", dim=1, steps=steps),
        model.space.traversal(start, "pose", steps=steps),
    ]
    # Images of 11 pixels, each 9 wide, with a line between them; no text stands at their edge.
    width = max(steps, 6) * 100
    edges = np.flatnonzero(np.diff(picture[:, -width + 2] == 255)) + 1
    tops, ends = edges[::2], edges[1::2]
    assert (ends - tops == 99).all()
    # Values of the two uniform dimensions are the same, and stand below the second.
    assert (tops[1:] - ends[:-1]).argmin() == 1
    for top, latents in zip(tops, expected, strict=True):
        cells = picture[top : top + 99, -width:]
        assert picture[top : top + 99, : -width - 1].min() < 100  # the label
        values = (cells[4::9, 45::100].T / 255 - 0.5) * 10
        np.testing.assert_allclose(values[: len(latents)], latents, atol=0.03)
        assert (cells[:, len(latents) * 100 :] == 255).all()


def test_without_informative_codes_all_of_them_are_drawn(tmp_path):
    model = CodeModel()
    model.space = LatentSpace([Normal(10), Categorical(2, informative=False)])
    model.decode = lambda latents: ops.reshape(latents[:, :1] * np.nan, (-1, 1, 1, 1))
    picture = draw_codes(tmp_path, model, steps=3)
    black = np.flatnonzero(np.diff(picture[:, -3 * 97 + 2] == 0)) + 1
    assert (np.diff(black)[::2] == 96).all() and len(black) == 2 * 11


def test_a_model_that_has_a_space_and_reconstructs_is_drawn_as_one_of_rungs(tmp_path):
    model = TinyVAE()
    model.space = space_of_rungs("rung_sizes", (2, 1))
    model.reconstruct = lambda x: model.decode(model.encode(x)[0])
    callback = LatentTraversal(tmp_path, images=IMAGES, steps=5)
    callback.set_model(model)
    callback.on_train_begin()
    drawn = callback._pictures()
    assert sorted(drawn) == ["reconstructions", "rung_samples", "traversal"]
    mean = ops.convert_to_numpy(model.encode(ops.convert_to_tensor(IMAGES))[0])
    expected = latent_traversal(
        lambda z: ops.convert_to_numpy(model.decode(ops.convert_to_tensor(z))),
        mean[0],
        steps=5,
        rungs=(2, 1),
    )
    assert drawn["traversal"].shape == expected.shape
    assert np.abs(drawn["traversal"].astype(int) - expected).max() <= 1


def test_normal_codes_go_as_far_as_the_span(tmp_path):
    model = CodeModel()
    model.space = LatentSpace([Normal(11)])
    picture = draw_codes(tmp_path, model, span=3, steps=3)
    first = picture[1:100, -3 * 100 :]
    values = (first[4, 4::100][:3] / 255 - 0.5) * 10
    np.testing.assert_allclose(values, [-3, 0, 3], atol=0.03)


def test_drawing_codes_draws_no_random_numbers_of_the_run(tmp_path):
    keras.utils.set_random_seed(1)
    expected = ops.convert_to_numpy(keras.random.normal((3,)))
    keras.utils.set_random_seed(1)
    draw_codes(tmp_path, CodeModel())
    np.testing.assert_array_equal(ops.convert_to_numpy(keras.random.normal((3,))), expected)


def test_a_latent_space_and_images_do_not_go_together(tmp_path):
    callback = LatentTraversal(tmp_path, images=IMAGES)
    callback.set_model(CodeModel())
    with pytest.raises(ValueError, match="`images` must be None .* Received: 16 images and .*Code"):
        callback.on_train_begin()
    callback = LatentTraversal(tmp_path)
    callback.set_model(types.SimpleNamespace(space=CodeModel.space))
    with pytest.raises(ValueError, match=r"lacks \['decode'\]"):
        callback.on_train_begin()


def test_integer_images_are_scaled(tmp_path):
    callback = LatentTraversal(tmp_path, images=np.full((20, 4, 4, 3), 51, "uint8"))
    assert callback.images.shape == (16, 4, 4, 3) and callback.images.dtype == np.float32
    np.testing.assert_allclose(callback.images, 0.2)


def test_nothing_is_written_if_nothing_is_trained(tmp_path):
    train([LatentTraversal(tmp_path)], epochs=0)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"every": 0}, "every=0"),
        ({"span": 0}, "span=0"),
        ({"steps": 1}, "steps=1"),
        ({"num_samples": 0}, "`num_samples`"),
        ({"images": np.zeros((8, 8, 1))}, r"`images` must be images.*\(8, 8, 1\)"),
        ({"images": np.zeros((0, 8, 8, 1))}, "`images` must be images"),
        ({"images": np.full((1, 8, 8, 1), 9.0)}, r"in \[0, 1\]"),
    ],
)
def test_bad_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentTraversal(tmp_path, **arguments)


def test_a_file_or_a_model_that_does_not_fit_is_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`log_dir` must be a folder"):
        LatentTraversal(tmp_path / "file")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for images, missing in ((None, "latent_dim"), (IMAGES, "encode")):
        with pytest.raises(ValueError, match=rf"lacks \['decode', '{missing}'\]"):
            model.fit(
                np.zeros((1, 1)),
                np.zeros((1, 1)),
                verbose=0,
                callbacks=[LatentTraversal(tmp_path, images=images)],
            )


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_latent_traversal import IMAGES, train
from keras_disentangle.callbacks.latent_traversal import LatentTraversal
from keras_disentangle.callbacks.tensorboard_scalars import TensorBoardScalars

folder = sys.argv[1]
train([LatentTraversal(folder, images=IMAGES), TensorBoardScalars(folder, every=1)], epochs=2)
scalars = EventAccumulator(folder + "/train").Reload()
assert [event.step for event in scalars.Scalars("loss/epoch_loss")] == [3, 6]
assert len(scalars.Scalars("loss/batch_loss")) == 6
images = EventAccumulator(folder + "/pictures").Reload()
assert images.Images("pictures/traversal")[-1].encoded_image_string.startswith(b"\\x89PNG")
"""


@pytest.mark.one_backend
def test_tensorflow_need_not_be_installed(tmp_path):
    pytest.importorskip("jax")
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here.parents[1]), str(here), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pictures" / "traversal.gif").exists()
