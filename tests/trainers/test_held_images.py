"""Images on the device: the same training as from the host, and what does not fit is refused."""

import keras
import numpy as np
import pytest
from backup_runs import Interrupt, Interrupted
from model_table import MODELS
from tiny_networks import IMAGES, conditional_flat_networks, flat_networks
from tiny_training import adams, numbers

from keras_disentangle.callbacks import ExactBackup
from keras_disentangle.datasets import ArrayFactorDataset, WeightedFactors, image_batches
from keras_disentangle.models import VAE
from keras_disentangle.trainers import held_images
from keras_disentangle.trainers._backend import backend

BACKEND = keras.backend.backend()
PIXELS = np.random.default_rng(0).integers(0, 256, (24, *IMAGES.shape[1:]), dtype=np.uint8)
GRID = ArrayFactorDataset(PIXELS, (4, 6), ("a", "b"))


def vae():
    return VAE(**flat_networks(3), seed=1)


def train(batches, build=vae, model=None, epochs=2, callbacks=(), steps_per_execution=1):
    """The state and the history of a model after training."""
    keras.utils.set_random_seed(0)
    if model is None:
        model = build()
        model.compile(**adams(model), steps_per_execution=steps_per_execution)
    history = model.fit(batches, epochs=epochs, verbose=0, callbacks=list(callbacks)).history
    return numbers([*model.variables, *model.optimizer.variables]), history


def assert_equal(found, expected):
    for a, b in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[1] == expected[1]


def test_every_pixel_is_that_of_the_host():
    pixels = np.arange(256, dtype=np.uint8).reshape(64, 2, 2, 1)
    held = held_images.HeldImages(vae(), pixels)
    index = np.array([[63, 0], [5, 5]], "int32")
    found = keras.ops.convert_to_numpy(held[keras.ops.convert_to_tensor(index)])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.divide(pixels[index], 255, dtype=np.float32))


DATA = {
    "images": lambda: image_batches(PIXELS, 5, seed=0, steps_per_epoch=3),
    "a data set": lambda: GRID.batches(6, seed=0),
    "a weighted one": lambda: WeightedFactors(GRID, lambda x: 1 / (1 + x[:, 0])).batches(
        6, seed=0, steps_per_epoch=4
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_indices_are_those_of_the_batches_of_the_host(name):
    host, device = DATA[name](), DATA[name]().on_device()
    images = device.all_images()
    assert device.num_bytes == images.nbytes == PIXELS.nbytes
    for epoch in range(2):
        host.epoch = device.epoch = epoch
        for i in range(len(host)):
            (index,) = device.rows(i)
            np.testing.assert_array_equal(
                np.divide(images[index], 255, dtype=np.float32), host[i][0]
            )


MODELS_AND_DATA = {
    "phased": (MODELS["gan_r1"].build, DATA["a data set"]),
    "pairs": (MODELS["ada_gvae"].build, lambda: GRID.pairs(4, seed=0, steps_per_epoch=3)),
    "conditional": (
        lambda: VAE(**conditional_flat_networks(3, 4), labels=4, seed=1),
        lambda: image_batches(PIXELS, 6, seed=0, labels=np.arange(24) % 4),
    ),
}


@pytest.mark.parametrize("name", MODELS_AND_DATA)
def test_training_is_that_from_the_host(name):
    build, data = MODELS_AND_DATA[name]
    assert_equal(train(data().on_device(), build), train(data(), build))


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one step a call")
def test_several_steps_in_one_call():
    found = train(DATA["a data set"]().on_device(), steps_per_execution=3)
    assert_equal(found, train(DATA["a data set"](), steps_per_execution=3))


def test_a_second_fit_uses_its_own_images():
    """A step that was compiled with the first ones would train on them again."""
    other = PIXELS[::-1].copy()
    runs = []
    for place in (lambda x: x.on_device(), lambda x: x):
        model = vae()
        model.compile(**adams(model))
        train(place(image_batches(PIXELS, 8, seed=0)), model=model, epochs=1)
        runs.append(train(place(image_batches(other, 8, seed=0)), model=model, epochs=1))
    assert_equal(*runs)
    assert model.held is None


def test_a_resumed_run_may_change_between_host_and_device(tmp_path):
    expected = train(DATA["images"](), epochs=3)
    with pytest.raises(Interrupted):
        callbacks = [ExactBackup(tmp_path, save_freq=1), Interrupt(1, 1)]
        train(DATA["images"]().on_device(), epochs=3, callbacks=callbacks)
    assert_equal(train(DATA["images"](), epochs=3, callbacks=[ExactBackup(tmp_path)]), expected)


def test_images_are_put_on_the_device_once(monkeypatch):
    batches, held = DATA["a data set"]().on_device(), []
    hold = backend.hold
    monkeypatch.setattr(backend, "hold", lambda *x: held.append(x) or hold(*x))
    model = vae()
    model.compile(**adams(model), run_eagerly=True)
    for _ in range(2):
        train(batches, model=model, epochs=1)
    assert len(held) == 1


@pytest.mark.parametrize("of_device", [True, False], ids=["of the device", "of the machine"])
def test_images_that_do_not_fit(of_device, monkeypatch):
    free = PIXELS.nbytes - 1
    monkeypatch.setattr(backend, "free_memory", lambda model: free if of_device else None)
    monkeypatch.setattr(held_images, "system_memory", lambda: free)
    monkeypatch.setattr(backend, "hold", None)  # It is not called.
    model = vae()
    model.compile(**adams(model))
    before = numbers(model.variables)
    message = r"`x` must fit into .* `on_device\(\)`. Received: images of .*GB, with .*GB free"
    with pytest.raises(ValueError, match=message):
        model.fit(DATA["images"]().on_device(), verbose=0)
    for now, then in zip(numbers(model.variables), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_free_memory_is_known_here():
    assert backend.free_memory(vae()) is None  # On a CPU it is that of the machine.
    assert held_images.system_memory() > 2**20
