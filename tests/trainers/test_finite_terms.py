"""A term that is no number any more stops `fit` at its step; what was written before stays."""

import keras
import numpy as np
import pytest
from tiny_networks import IMAGE_SHAPE, dense
from tiny_training import adams, numbers

from keras_disentangle.latents import Categorical, LatentSpace
from keras_disentangle.layers import QHead
from keras_disentangle.models import VAE, InfoGAN
from keras_disentangle.trainers.term_metrics import FiniteMean, PresentValue

IS_TORCH = keras.backend.backend() == "torch"
IMAGES = np.random.default_rng(0).random((16, *IMAGE_SHAPE), dtype="float32")


class Poisoned(keras.utils.PyDataset):
    """Four batches, one of them with a NaN."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def __len__(self):
        return 4

    def __getitem__(self, index):
        x = IMAGES[4 * index : 4 * index + 4].copy()
        if index == self.number:
            x[1, 2, 3, 0] = np.nan
        return (x,)


def vae():
    return VAE(dense(IMAGE_SHAPE, 4, None), dense((2,), 64, None, reshape=IMAGE_SHAPE), seed=1)


def info_gan():
    space = LatentSpace([Categorical(3)])
    image = keras.Input(IMAGE_SHAPE)
    features = keras.layers.Dense(5, "tanh")(keras.layers.Flatten()(image))
    discriminator = keras.Model(image, [keras.layers.Dense(1)(features), features])
    generator = dense((3,), 64, None, reshape=IMAGE_SHAPE)
    return InfoGAN(generator, discriminator, QHead(space, hidden=None), space, seed=1)


VALIDATED = {"validation_data": (IMAGES,)}
CASES = {
    "info_gan": (info_gan, {}, {}, "`discriminator_loss`"),
    "vae": (vae, {}, {}, "`reconstruction`"),
    # The validation begins with fresh metrics.
    "vae_validated": (vae, {}, VALIDATED, "`reconstruction`"),
    "in one call": (info_gan, {"steps_per_execution": 2}, {}, "`discriminator_loss`"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_step_that_is_not_finite(case, tmp_path):
    make, compile_with, _, term = CASES[case]
    if IS_TORCH and compile_with:
        pytest.skip("torch runs one step at a time")
    model = make()
    model.compile(**adams(model), **compile_with)
    file = tmp_path / "model.weights.h5"
    checkpoint = keras.callbacks.ModelCheckpoint(file, save_weights_only=True)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True)

    def fit(data, epochs):
        fit_with = {"callbacks": [checkpoint, log], **CASES[case][2]}
        model.fit(data, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **fit_with)

    fit(IMAGES, 1)
    good = numbers([*model.weights, *model.optimizer.variables])
    written = file.read_bytes(), (tmp_path / "log.csv").read_text()
    # The second time at an earlier step than the first.
    for number in (2, 1):
        message = rf"NaN or infinity in {term}.* at training step {4 + number}\."
        with pytest.raises(ValueError, match=message):
            fit(Poisoned(number), 3)
        assert (file.read_bytes(), (tmp_path / "log.csv").read_text()) == written
        # From the last good state it goes on.
        for variable, value in zip([*model.weights, *model.optimizer.variables], good, strict=True):
            variable.assign(value)
    fit(IMAGES, 1)
    model.check_finite()
    assert int(model.step) == 8 and file.read_bytes() != written[0]


def test_an_infinite_term_is_named():
    model = vae()
    model.compile(keras.optimizers.SGD(1e30))
    with pytest.raises(ValueError, match=r"infinity in .* at training step 1\."):
        model.fit(IMAGES, batch_size=16, epochs=3, verbose=0)


def test_a_loss_that_is_infinite_with_finite_terms():
    model = vae()
    kernel = model.decoder.layers[-2].kernel
    kernel.regularizer = keras.regularizers.L2(1e38)
    kernel.assign(np.full(kernel.shape, 10, "float32"))
    model.compile("sgd")
    with pytest.raises(ValueError, match="infinity in loss, with finite terms, by training step 1"):
        model.fit(IMAGES, batch_size=16, epochs=3, verbose=0)


def test_finite_mean():
    step = keras.Variable(3, dtype="int32", trainable=False)
    metric = FiniteMean("term", lambda: step)
    for values in ([1.0, 2.0], [3.0, np.inf], [np.nan, 0.0]):
        metric.update_state(np.array(values, "float32"))
        step.assign_add(1)
    assert metric.first_bad() == 5  # Of the steps 3, 4 and 5, 4 was the first; plus 1.
    metric.reset_state()
    assert [value.item() for value in numbers(metric.variables)] == [0, 0, 0]
    metric.update_state(np.array([1.0, 2.0], "float32"))
    assert metric.first_bad() == 0 and float(metric.result()) == 1.5


def test_present_value_is_that_of_the_last_update():
    metric = PresentValue("ramp")
    for value in (1.0, 5.0, 3.0):
        metric.update_state(value)
    assert float(metric.result()) == 3.0
