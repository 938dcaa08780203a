"""Arrays are trained on as Keras does it, and are neither copied nor read whole."""

import h5py
import keras
import numpy as np
import pytest
from backup_runs import assert_goes_on
from tiny_networks import IMAGES, flat_networks, player_networks
from tiny_training import numbers

from keras_disentangle.callbacks import ExactBackup
from keras_disentangle.models import GAN, VAE, _image_data
from keras_disentangle.trainers import array_batches
from keras_disentangle.trainers.array_batches import LARGE, ArrayBatches, cut, cut_for_fit

NUMBERS = np.arange(10, dtype="float32")
one_backend = pytest.mark.one_backend


class Stored:
    """Like a data set of h5py; counts the rows that are read at once, as HDF5 lets them be."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.most = 0

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        assert isinstance(index, slice) or np.all(np.diff(index) > 0)
        found = self.array[index]
        self.most = max(self.most, len(found))
        return found

    def __array__(self, *args, **kwargs):
        raise AssertionError("read whole")


@pytest.fixture(scope="module")
def model():
    model = VAE(**flat_networks(2), seed=0)
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=keras.backend.backend() != "jax")
    return model, numbers(model.variables)


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(array_batches, "LARGE", 0)


def epoch(batches):
    batches.on_epoch_begin()
    found = [batch[0] for batch in batches]
    batches.on_epoch_end()
    return found


@one_backend
@pytest.mark.parametrize("array", [NUMBERS, Stored(NUMBERS), NUMBERS.astype("float64")])
def test_a_pass(array):
    batches = ArrayBatches((array,), 4)
    assert [batch.tolist() for batch in epoch(batches)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(batches) == 3 and batches[2][0].dtype == "float32"
    # TensorFlow writes into what it is given.
    assert not np.shares_memory(batches[0][0], getattr(array, "array", array))
    with pytest.raises(IndexError):
        batches[3]
    keras.utils.set_random_seed(0)
    batches = ArrayBatches((array, np.arange(10)), 4, shuffle=True)
    first, second = (np.concatenate(epoch(batches)).tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    # As Keras shuffles arrays itself on JAX.
    keras.utils.set_random_seed(0)
    assert first == np.random.permutation(10).tolist()
    assert second == np.random.permutation(10).tolist()
    x, y = batches[1]
    assert x.tolist() == y.tolist() and y.dtype == "int64"


@one_backend
def test_shuffled_batches_and_a_part_of_the_rows():
    batches = ArrayBatches((NUMBERS,), 4, shuffle="batch")
    first, second = epoch(batches), epoch(batches)
    assert [sorted(part) for part in first] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    rest = ArrayBatches((NUMBERS,), 2, rows=range(7, 10))
    assert [batch.tolist() for batch in epoch(rest)] == [[7, 8], [9]]


@one_backend
def test_epochs_that_end_before_the_pass():
    batches = ArrayBatches((NUMBERS,), 2, shuffle=True, walks_on=True)
    for _ in range(3):
        found = []
        for part in (range(2), range(2, 4), range(4, 5)):
            batches.on_epoch_begin()
            found += [batches[i][0] for i in part]
            batches.on_epoch_end()
        assert sorted(np.concatenate(found)) == list(range(10))


@one_backend
def test_what_is_cut():
    large = np.broadcast_to(np.float32(0), (LARGE // 4, 1))
    small, stored, labels = large[1:], Stored(NUMBERS), np.zeros(10)
    tensor = keras.ops.ones((10,))
    for x in (small, tensor, [NUMBERS], NUMBERS.astype(str), None, (b for b in [NUMBERS])):
        assert cut(x) == (x, None, None)
    # Keras says that there are too few, or that a list is no labels.
    for y in (labels[1:], [0] * 10):
        assert cut(stored, y) == (stored, y, None)
    assert cut(large)[0].batch_size == 32
    assert cut(stored, steps=3)[0].batch_size == 4
    assert cut(stored, tensor, labels, batch_size=7)[0][1][1].tolist() == [1, 1, 1]
    x, y, weights = cut(stored, sample_weight=labels)[0][0]
    assert y.shape == weights.shape == (10,)
    # A callback wants to find its place in it.
    arguments = {"x": NUMBERS, "y": labels, "batch_size": 5}
    assert cut_for_fit(arguments) == arguments
    followed = cut_for_fit({**arguments, "callbacks": [ExactBackup("backups")]})
    assert isinstance(followed["x"], ArrayBatches) and followed["x"].shuffle
    assert followed["shuffle"] is False and "y" not in followed
    for split in (1e-20, 0.95):
        with pytest.raises(ValueError, match="`validation_split` must .* for 10 images"):
            cut_for_fit({"x": stored, "validation_split": split})


def trained(model, x, **arguments):
    keras.utils.set_random_seed(0)
    model, initial = model
    for variable, value in zip(model.variables, initial, strict=True):
        variable.assign(value)
    history = model.fit(x, verbose=0, epochs=2, **arguments)
    return history.history, history.params, numbers(model.variables)


@pytest.mark.filterwarnings("ignore:VAE makes no use of labels")
@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 8, "validation_split": 0.5},
        {"batch_size": 8, "y": np.arange(16), "sample_weight": np.linspace(0, 2, 16)},
        {"batch_size": 8, "steps_per_epoch": 1, "validation_data": IMAGES[:8]},
        {"steps_per_epoch": 2, "validation_data": (IMAGES[:8], np.arange(8))},
    ],
)
def test_numbers_are_those_of_keras(arguments, model, monkeypatch):
    # Where Keras shuffles otherwise, in order.
    arguments = {"shuffle": keras.backend.backend() == "jax", **arguments}
    expected = trained(model, IMAGES, **arguments)
    monkeypatch.setattr(array_batches, "LARGE", 0)
    found = trained(model, IMAGES, **arguments)
    assert found[:2] == expected[:2]
    for a, b in zip(found[2], expected[2], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:VAE makes no use of labels")
def test_weights_without_labels_count(model):
    """Keras itself drops them without a word."""
    weights = np.repeat([1.0, 0.0], 8)
    half = model[0].evaluate(IMAGES, sample_weight=weights, verbose=0)[0]
    assert half == pytest.approx(model[0].evaluate(IMAGES[:8], verbose=0)[0] / 2, rel=0.05)
    arguments = {"batch_size": 16, "sample_weight": weights, "shuffle": False}
    with_labels = trained(model, IMAGES, y=np.zeros(16), **arguments)
    history, _, variables = trained(model, IMAGES, **arguments)
    assert history == with_labels[0]
    for a, b in zip(variables, with_labels[2], strict=True):
        np.testing.assert_array_equal(a, b)
    given = (IMAGES, None, weights)
    history, _, _ = trained(model, IMAGES, batch_size=16, validation_data=given)
    assert history["val_loss"][0] == pytest.approx(history["loss"][0] / 2, rel=0.1)


@pytest.mark.parametrize("kind", ["h5py", "memmap", "stored", "float64"])
def test_arrays_in_files(kind, model, always, monkeypatch, tmp_path, recwarn):
    monkeypatch.setattr(_image_data, "_CHUNK", 8 * 64 * 8)
    images = IMAGES if kind != "float64" else IMAGES.astype("float64")
    if kind == "h5py":
        images = h5py.File(tmp_path / "images.h5", "w").create_dataset("images", data=IMAGES)
    elif kind == "memmap":
        np.save(tmp_path / "images.npy", IMAGES)
        images = np.load(tmp_path / "images.npy", mmap_mode="r")
    elif kind == "stored":
        images = Stored(IMAGES)
    assert np.isfinite(trained(model, images, batch_size=8, validation_split=0.5)[0]["loss"][1])
    model = model[0]
    keras.utils.set_random_seed(0)
    losses = model.evaluate(images, batch_size=8, verbose=0), model.evaluate(IMAGES, verbose=0)
    np.testing.assert_allclose(*losses, rtol=0.02)
    means = (model.predict(x, batch_size=8, verbose=0)["mean"] for x in (images, IMAGES))
    np.testing.assert_allclose(*means, rtol=1e-5, atol=1e-6)
    assert not [w for w in recwarn if "writ" in str(w.message)]
    if kind == "stored":
        assert images.most == 8


def test_players(always):
    images, step = Stored(IMAGES), keras.backend.backend() == "jax"
    model = GAN(**player_networks(3))
    model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd", run_eagerly=not step)
    model.fit(images, batch_size=8, epochs=2, verbose=0)
    assert int(model.step) == 4
    assert model.predict(np.zeros((5, 3)), batch_size=2, verbose=0).shape == (5, 8, 8, 1)


@pytest.mark.compiled(False)
@pytest.mark.parametrize("stored", [False, True])
def test_a_shuffled_run_goes_on(stored, always, tmp_path):
    data = h5py.File(tmp_path / "images.h5", "w").create_dataset("images", data=IMAGES)

    def build():
        model = VAE(**flat_networks(3), seed=1)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    settings = {"build": build, "batch_size": 5, "data": lambda: data if stored else IMAGES}
    assert_goes_on(tmp_path / "run", [(0, 2), (1, 1)], epochs=2, **settings)
    with pytest.raises(ValueError, match="data.batch_size = 4 .in the backup: 5"):
        assert_goes_on(tmp_path / "run", [], epochs=2, **{**settings, "batch_size": 4})
