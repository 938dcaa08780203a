"""Images that are not what a model wants, however they come; labels; batches left over."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from tiny_networks import IMAGE_SHAPE, IMAGES, flat_networks, network, player_networks

from keras_disentangle.models import GAN, VAE

BYTES = (IMAGES * 255).astype("uint8")


class Batches(keras.utils.PyDataset):
    """Four batches, of which one has another range."""

    def __init__(self, bad, last=4):
        super().__init__()
        self._bad, self._last = bad, last

    def __len__(self):
        return 4

    def __getitem__(self, index):
        size = self._last if index == 3 else 4
        return IMAGES[4 * index : 4 * index + size] * (255 if index == self._bad else 1)


class Dicts(Batches):
    def __init__(self):
        super().__init__(None)

    def __getitem__(self, index):
        return {"image": super().__getitem__(index)}


def generator(images, labels=()):
    for start in range(0, len(images), 4):
        yield (images[start : start + 4], *labels)


def vae(**arguments):
    model = VAE(**flat_networks(2), **arguments)
    # Small steps: one with images out of range must not make later ones infinite.
    sgd = keras.optimizers.SGD(1e-6)
    model.compile(sgd, run_eagerly=keras.backend.backend() != "jax")
    return model


def gan(**arguments):
    model = GAN(**player_networks(3), **arguments)
    model.compile(
        generator_optimizer="sgd",
        discriminator_optimizer="sgd",
        run_eagerly=keras.backend.backend() != "jax",
    )
    return model


@pytest.fixture(scope="module", params=[vae, gan])
def model(request):
    return request.param()


def test_bytes_are_refused_before_a_step(model):
    before = [w.copy() for w in model.get_weights()]
    for x in (BYTES, generator(BYTES), Batches(0), [BYTES]):
        with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\].*divide uint8 images"):
            model.fit(x, shuffle=False, verbose=0)
    for x in (BYTES, BYTES.astype("float32"), ops.convert_to_tensor(BYTES)):
        with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\].*divide uint8 images"):
            model.train_on_batch(x)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_later_batch_of_another_range_ends_the_run(model):
    # Data sets are looked at before at their ends.
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\].* values up to 25[0-9]"):
        model.fit(Batches(1), shuffle=False, verbose=0)
    # What was known of one run is forgotten in the next.
    model.fit(Batches(None), verbose=0)
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


def test_a_generator_loses_no_batch(model):
    before = int(model.step)
    model.fit(generator(IMAGES), epochs=1, steps_per_epoch=4, verbose=0)
    assert int(model.step) == before + 4


def test_batches_of_float64(model):
    model.fit(generator(IMAGES.astype("float64")), steps_per_epoch=2, verbose=0)


def test_labels_are_left_out_with_a_word():
    for make in (vae, gan):
        model = make()
        with pytest.warns(UserWarning, match="makes no use of labels"):
            model.fit(IMAGES, np.zeros(16), batch_size=16, verbose=0)
        with pytest.warns(UserWarning) as given:
            model.fit(generator(IMAGES, (np.zeros(4),)), steps_per_epoch=1, verbose=0)

            warnings.warn("another", stacklevel=1)
        assert not any("labels" in str(w.message) for w in given)


@pytest.mark.parametrize(
    "x, message",
    [
        (None, "`x` must be an array of images, or a data set"),
        ([IMAGES, IMAGES], "`x` must be one array of images .* a list of 2"),
        (list(IMAGES), "`x` must be one array of images .* a list of 16"),
        ("images", "`x` must be an array of images, or a data set"),
        ({"image": IMAGES}, "`x` must be an array of images, .* Received: a dict$"),
        (Dicts(), "batches of dict; map its values"),
        (IMAGES[:0], "`x` must hold images of the shape"),
        (IMAGES[..., 0], "`x` must hold images of the shape"),
        (IMAGES * np.nan, "`x` must hold finite numbers"),
    ],
)
def test_what_is_no_images(model, x, message):
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0)


def test_evaluation_and_prediction():
    model = vae()
    for method in (model.evaluate, model.predict):
        with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\]"):
            method(BYTES, verbose=0)
    for method in (model.test_on_batch, model.predict_on_batch, model.encode, model.reconstruct):
        with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\]"):
            method(BYTES)
    with pytest.raises(ValueError, match=r"^Evaluation failed.* images must lie in \[0, 1\]"):
        model.evaluate(Batches(2), verbose=0)
    with pytest.raises(ValueError, match=r"`validation_data` must lie in \[0, 1\]"):
        model.fit(IMAGES, validation_data=(BYTES, np.zeros(16)), verbose=0)
    with pytest.raises(ValueError, match=r"^Validation failed.* images must lie in \[0, 1\]"):
        model.fit(IMAGES, validation_data=Batches(2), verbose=0)
    history = model.fit(IMAGES, validation_data=(IMAGES, IMAGES), verbose=0).history
    assert history["val_loss"][0] == pytest.approx(
        model.evaluate(IMAGES, verbose=0, return_dict=True)["loss"], rel=0.05
    )


def test_labels_beside_images_are_no_part_of_them():
    for call in (vae().evaluate, vae().predict):
        with pytest.raises(ValueError, match="`x` must be one array .* `y` and .* a tuple of 2"):
            call((IMAGES, np.zeros(16)))
    with pytest.raises(ValueError, match="`validation_split` must be left out .* generator"):
        vae().fit(generator(IMAGES), validation_split=0.5, verbose=0)


def test_images_without_a_picture_are_evaluated_and_predicted():
    model, blank = vae(), np.zeros_like(IMAGES[:4])
    assert np.isfinite(model.evaluate(blank, verbose=0, return_dict=True)["loss"])
    assert model.predict(blank, verbose=0)["reconstruction"].shape == blank.shape


def test_a_gaussian_model_says_that_its_images_were_large():
    model = vae(observation="gaussian")
    with pytest.raises(ValueError, match="stay finite.*the images had values up to .*divide"):
        model.fit(IMAGES * 1e25, epochs=3, verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="`tf.data` alone hides sizes")
def test_a_last_batch_that_is_too_small_moves_nothing():
    import tensorflow as tf

    model = gan(discriminator_steps=5)
    data = tf.data.Dataset.from_tensor_slices(IMAGES[:13]).batch(10)
    with pytest.raises(ValueError, match=r"^`batch_size` must leave at least 1 images to each of"):
        model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd")
        model.fit(data, verbose=0)
    assert int(model.step) == 1
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


def test_vectors_of_one_image_are_not_normalised_by_their_batch():
    norm = keras.layers.BatchNormalization
    flat = [keras.layers.Flatten(), keras.layers.Dense(4)]
    before, after = network(IMAGE_SHAPE, norm(), *flat), network(IMAGE_SHAPE, *flat, norm())
    decoder = flat_networks(2)["decoder"]
    for encoder, refused in ((before, False), (after, True)):
        model = VAE(encoder, decoder)
        model.compile("sgd")
        if not refused:
            model.fit(IMAGES[:5], batch_size=4, verbose=0)
            continue
        for x, size in ((IMAGES[:5], 4), (Batches(None, last=1), None)):
            with pytest.raises(ValueError, match="^`batch_size` must leave at least 2 images"):
                model.fit(x, batch_size=size, verbose=0)
        # Of nine images, eight are trained on.
        model.fit(IMAGES[:9], batch_size=4, validation_split=1 / 9, verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="`tf.data` alone hides sizes")
def test_a_last_batch_that_is_too_small_is_noticed_by_xla_too():
    import tensorflow as tf

    norm = network(IMAGE_SHAPE, keras.layers.Flatten(), keras.layers.BatchNormalization())
    norm.add(keras.layers.Dense(4))
    model = VAE(norm, flat_networks(2)["decoder"])
    model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="`batch_size` must leave at least 2 images.* batch of 1"):
        model.fit(tf.data.Dataset.from_tensor_slices(IMAGES[:5]).batch(4), verbose=0)
    model = gan(discriminator_steps=5)
    model.compile(generator_optimizer="sgd", discriminator_optimizer="sgd", jit_compile=True)
    with pytest.raises(ValueError, match="`batch_size` must leave at least 1 images.* batch of 3"):
        model.fit(tf.data.Dataset.from_tensor_slices(IMAGES[:13]).batch(10), verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras distributes batches on JAX")
def test_batches_that_devices_cannot_share(monkeypatch):
    from keras_disentangle.models import _image_data

    class TwoDevices(keras.distribution.DataParallel):
        device_mesh = keras.distribution.DeviceMesh((1,), ["batch"], ["cpu:0"])
        _is_multi_process = False

        def __init__(self):
            pass

    two = TwoDevices()
    two.device_mesh._shape = (2,)
    monkeypatch.setattr(keras.distribution, "distribution", lambda: two)
    with pytest.raises(ValueError, match="evenly among the 2 devices.* Received: a batch of 7"):
        _image_data.check_images("x", IMAGES[:15], IMAGE_SHAPE, None, 8)
    _image_data.check_images("x", IMAGES[:14], IMAGE_SHAPE, None, 8)
    # What is held out is no part of the batches that are trained on, and is shared out too.
    _image_data.check_images("x", IMAGES[:15], IMAGE_SHAPE, None, 8, split=1 / 15)
    with pytest.raises(ValueError, match="evenly .* Received: a batch of 7"):
        _image_data.check_images("x", IMAGES, IMAGE_SHAPE, None, 8, split=1 / 16)
    for size, received in ((4, 1), (None, 5)):
        with pytest.raises(ValueError, match=f"evenly .* Received: a batch of {received}"):
            arguments = {"validation_split": 5 / 15, "validation_batch_size": size}
            vae().fit(IMAGES[:15], batch_size=10, **arguments, verbose=0)


def test_no_loss_or_metrics():
    model = VAE(**flat_networks(2))
    for name, value in (("loss", "mse"), ("metrics", ["mae"]), ("loss_weights", [1.0])):
        with pytest.raises(ValueError, match=f"`{name}` must be left out"):
            model.compile("sgd", **{name: value})
    with pytest.raises(ValueError, match="`loss` must be left out"):
        model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"needs the optimizers .* Received: \['adam'\]"):
        GAN(**player_networks(3)).compile("adam")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_single_batches_that_are_not_finite(value):
    images = IMAGES.copy()
    images[3, 2, 1, 0] = value
    model, players = vae(observation="gaussian"), GAN(**player_networks(3))
    for call in (model.encode, model.train_on_batch, model.test_on_batch, players.train_on_batch):
        for batch in (images, ops.convert_to_tensor(images)):
            with pytest.raises(ValueError, match="`x` must hold finite numbers"):
                call(batch)


def test_results_hold_no_graph():
    model, players = vae(), GAN(**player_networks(3))
    mean, log_var = model.encode(IMAGES)
    results = [mean, log_var, model.decode(mean), model.reconstruct(IMAGES), model.sample(2)]
    results += [model.interpolate(IMAGES[:2], IMAGES[2:4]), model.log_likelihood(IMAGES, mean)]
    results += [players.sample(2), players.decode(np.zeros((1, 3)))]
    assert not any(getattr(x, "requires_grad", False) for x in results)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch asks for gradients so")
def test_gradients_with_respect_to_codes_flow():
    import torch

    z = torch.zeros((1, 3), requires_grad=True)
    GAN(**player_networks(3)).decode(z).sum().backward()
    assert torch.any(z.grad != 0)


def test_an_array_in_a_file(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    gan().fit(np.load(tmp_path / "images.npy", mmap_mode="r"), batch_size=16, verbose=0)


def test_classes_weigh_nothing():
    with pytest.raises(ValueError, match="`class_weight` must be left out"):
        vae().fit(IMAGES, np.zeros(16), class_weight={0: 2.0}, verbose=0)


def test_a_word_on_large_images_where_nothing_bounds_them():
    with pytest.warns(UserWarning, match="`x` holds values up to 25[0-9].*: divide uint8 images"):
        vae(observation="gaussian").evaluate(BYTES, verbose=0)
