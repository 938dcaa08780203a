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
from keras_disentangle.visualization import (
    enlarge,
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
        return enlarge(ops.convert_to_numpy(model.decode(ops.convert_to_tensor(latents))))

    mean = ops.convert_to_numpy(model.encode(ops.convert_to_tensor(IMAGES))[0])
    expected = {
        "traversal": latent_traversal(decode, mean[0], steps=5, rungs=(2, 1)),
        "rung_samples": rung_samples(decode, mean[0], (2, 1), num=4),
        "reconstructions": reconstruction_grid(enlarge(IMAGES[:16]), decode(mean[:16])),
    }
    events = EventAccumulator(str(pictures)).Reload()
    assert sorted(events.Tags()["images"]) == names
    for name, picture in expected.items():
        saved = np.asarray(Image.open(pictures / f"epoch_0003_{name}.png")).astype(int)
        assert np.abs(saved - picture[..., 0]).max() <= 1
        assert [event.step for event in events.Images(name)] == [6, 9]
        assert (
            events.Images(name)[1].encoded_image_string
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
        lambda latents: enlarge(ops.convert_to_numpy(model.decode(ops.convert_to_tensor(latents)))),
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
    first_row = saved[1:65, -261:].reshape(64, -1, 3)  # 4 images of 8 × 8 pixels and 5 lines
    assert [first_row[32, 32 + 65 * column, 0] for column in range(4)] == [0, 0, 255, 0]
    events = EventAccumulator(str(tmp_path / "pictures")).Reload()
    assert [event.step for event in events.Images("rung_samples")] == [1]


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
assert [event.step for event in scalars.Scalars("epoch_loss")] == [3, 6]
assert len(scalars.Scalars("batch_loss")) == 6
images = EventAccumulator(folder + "/pictures").Reload()
assert images.Images("traversal")[-1].encoded_image_string.startswith(b"\\x89PNG")
"""


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
