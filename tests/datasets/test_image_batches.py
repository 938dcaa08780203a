import random

import keras
import numpy as np
import pytest

from keras_disentangle.datasets import ArrayFactorDataset, image_batches

# The image's number is its grey value, so that a batch shows which images it holds.
IMAGES = np.broadcast_to(np.arange(23, dtype=np.uint8)[:, None, None, None], (23, 4, 4, 1))


def numbers(batch):
    return np.rint(batch[0][:, 0, 0, 0] * 255).astype(int).tolist()


def epoch(batches):
    batches.on_epoch_begin()
    drawn = [numbers(batches[i]) for i in range(len(batches))]
    batches.on_epoch_end()
    return drawn


def test_a_batch():
    (x,) = image_batches(IMAGES, 5, seed=0)[0]
    assert x.shape == (5, 4, 4, 1) and x.dtype == np.float32
    images = np.array([[[[0], [255]]]], np.uint8)
    (x,) = image_batches(images, 1, seed=0)[0]
    assert x.min() == 0 and x.max() == 1


def test_an_epoch_is_the_full_batches_of_a_permutation():
    batches = image_batches(IMAGES, 5, seed=0)
    assert len(batches) == 4
    first, second = epoch(batches), epoch(batches)
    for drawn in (first, second):
        flat = sum(drawn, [])
        assert len(flat) == len(set(flat)) == 20
    assert first != second


def test_steps_per_epoch_walk_on_through_the_passes():
    whole = image_batches(IMAGES, 5, seed=3)
    passes = sum([epoch(whole) for _ in range(3)], [])
    short = image_batches(IMAGES, 5, seed=3, steps_per_epoch=3)
    assert sum([epoch(short) for _ in range(4)], []) == passes
    long = image_batches(IMAGES, 5, seed=3, steps_per_epoch=6)
    assert sum([epoch(long) for _ in range(2)], []) == passes


def test_batches_depend_on_seed_epoch_and_step_alone():
    batches = image_batches(IMAGES, 5, seed=0, steps_per_epoch=3)
    epochs = [epoch(batches) for _ in range(5)]
    resumed = image_batches(IMAGES, 5, seed=0, steps_per_epoch=3)
    resumed.epoch = 3
    assert numbers(resumed[2]) == epochs[3][2]
    assert [epoch(resumed), epoch(resumed)] == epochs[3:]
    assert epoch(image_batches(IMAGES, 5, seed=1, steps_per_epoch=3)) != epochs[0]


def fit_order(batches, epochs, initial_epoch=0):
    """What `fit` trains on, with its own shuffling of the batches."""
    seen = []

    class Recorded(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            assert y is None
            return keras.ops.mean(keras.ops.square(y_pred))

    class Recorder(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(logs["loss"]))

    # The running mean of the loss identifies each batch and the order of those before it.
    model = Recorded([keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0))
    model.fit(
        batches, epochs=epochs, initial_epoch=initial_epoch, callbacks=[Recorder()], verbose=0
    )
    return seen


def test_fit_draws_the_same_order_when_resumed():
    batches = image_batches(IMAGES, 5, seed=0, steps_per_epoch=3)
    state = random.getstate()
    whole = fit_order(batches, epochs=4)
    assert batches.epoch == 4
    assert random.getstate() == state
    random.random()  # another process has another state
    resumed = image_batches(IMAGES, 5, seed=0, steps_per_epoch=3)
    resumed.epoch = 2
    np.testing.assert_allclose(fit_order(resumed, epochs=4, initial_epoch=2), whole[6:], rtol=1e-5)
    assert len(whole) == len(set(whole))


def test_an_epoch_counts_only_when_drawn_to_its_end():
    batches = image_batches(IMAGES, 5, seed=0)
    batches.on_epoch_end()  # as Keras does before it starts
    batches.on_epoch_begin()
    batches[0]
    batches.on_epoch_end()
    assert batches.epoch == 0
    epoch(batches)
    assert batches.epoch == 1


def test_factor_dataset_gives_the_same_batches():
    data = ArrayFactorDataset(IMAGES, (23,), ("grey",))
    assert epoch(data.batches(5, seed=2)) == epoch(image_batches(IMAGES, 5, seed=2))


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((0, 4, 4, 1)), "at least one"),
        (np.full((3, 4, 4, 1), 0.5), "constant"),
        (np.full((3, 4, 4, 1), np.nan), "NaN"),
        (IMAGES.astype("float32"), r"\[0, 1\]"),
        (IMAGES[0, 0], "images"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(ValueError, match=message):
        image_batches(images, 1, seed=0)


def test_past_the_end():
    with pytest.raises(IndexError):
        image_batches(IMAGES, 5, seed=0)[4]
