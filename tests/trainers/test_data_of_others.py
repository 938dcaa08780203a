"""Whatever Keras takes goes into `fit` of our models, and what does not fit is refused."""

import re

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_networks import IMAGES, flat_networks
from tiny_training import numbers

from keras_disentangle.datasets import stream_images
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.models import GAN, VAE

pytestmark = pytest.mark.compiled(False)

BATCH = 4


class Numbered(keras.utils.PyDataset):
    """Batches as arrays, not in tuples."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // BATCH

    def __getitem__(self, i):
        return self.images[BATCH * i : BATCH * (i + 1)]


def generator(images, *labels):
    for i in range(0, len(images), BATCH):
        rest = (part[i : i + BATCH] for part in labels)
        yield (images[i : i + BATCH], *rest) if labels else images[i : i + BATCH]


def loader(*arrays):
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(*map(torch.as_tensor, arrays))
    return torch.utils.data.DataLoader(data, batch_size=BATCH)


def tensors(images):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("what it gives is the same, and it takes long to import")
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(images).batch(BATCH)


def grain_items(*arrays):
    grain = pytest.importorskip("grain")
    rows = arrays[0] if len(arrays) == 1 else list(zip(*arrays, strict=True))
    return grain.MapDataset.source(rows).batch(BATCH)


def grain_loader(images):
    grain = pytest.importorskip("grain")
    sampler = grain.samplers.SequentialSampler(len(images))
    batched = [grain.transforms.Batch(BATCH)]
    return grain.DataLoader(data_source=images, sampler=sampler, operations=batched)


KINDS = {
    "array": lambda x: x,
    "PyDataset": Numbered,
    "generator": generator,
    "generator of pairs": lambda x: generator(x, np.arange(len(x))),
    "tf.data": tensors,
    "DataLoader": loader,
    "DataLoader of pairs": lambda x: loader(x, np.arange(len(x))),
    "grain.MapDataset": grain_items,
    "grain.MapDataset of pairs": lambda x: grain_items(x, np.arange(len(x))),
    "grain.IterDataset": lambda x: grain_items(x).to_iter_dataset(),
    "grain.DataLoader": grain_loader,
}


@pytest.fixture(scope="module")
def fit():
    """Trains a model from the same start, and gives the loss of the epoch."""
    keras.utils.set_random_seed(0)
    model = VAE(**flat_networks(3), seed=1)
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    initial = numbers(variables)

    def run(data):
        for variable, value in zip(variables, initial, strict=True):
            variable.assign(value)
        options = {"batch_size": BATCH} if isinstance(data, np.ndarray) else {}
        return model.fit(data, verbose=0, shuffle=False, **options).history["loss"]

    return run


@pytest.mark.filterwarnings("ignore:.*makes no use of labels", "ignore:Your input ran out")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_as_arrays_do(kind, fit):
    data = KINDS[kind](IMAGES)
    np.testing.assert_allclose(fit(data), fit(IMAGES), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_checked(kind, fit):
    whole = np.rint(IMAGES * 255)
    for bad in (whole, whole.astype("uint8")):
        with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\].*\(divide uint8 images by"):
            fit(KINDS[kind](bad))
    shape = re.escape("`x` must hold images of the shape ('n', 8, 8, 1)")
    for bad in (IMAGES[:, :6], np.repeat(IMAGES, 3, axis=-1), np.moveaxis(IMAGES, -1, 1)):
        with pytest.raises(ValueError, match=shape):
            fit(KINDS[kind](bad))


def test_a_folder_by_keras(fit, tmp_path):
    pytest.importorskip("grain")
    for i, image in enumerate(IMAGES):
        Image.fromarray((image[..., 0] * 255).astype("uint8")).save(tmp_path / f"{i:02}.png")
    data = keras.utils.image_dataset_from_directory(
        tmp_path,
        labels=None,
        color_mode="grayscale",
        image_size=(8, 8),
        batch_size=BATCH,
        shuffle=False,
        format="grain",
        verbose=False,
    )
    with pytest.raises(ValueError, match="divide uint8 images by 255"):
        fit(data)
    floats = (IMAGES * 255).astype("uint8").astype("float32") / 255
    np.testing.assert_allclose(fit(data.map(lambda x: x / 255.0)), fit(floats), rtol=1e-5)


def test_a_stream_is_named_where_a_file_vanishes(fit, tmp_path):
    pytest.importorskip("grain")
    for i, image in enumerate(IMAGES):
        Image.fromarray((image[..., 0] * 255).astype("uint8")).save(tmp_path / f"{i:02}.png")
    batches = stream_images(tmp_path, (8, 8, 1), BATCH, seed=0)
    first = fit(batches)
    # Neither the first batch nor the last, which are looked at before training begins.
    gone = tmp_path / f"{batches._reader.index(5)[0]:02}.png"
    content = gone.read_bytes()
    gone.unlink()
    message = f"^{re.escape(str(tmp_path))}: {gone.name} is not a readable image: .*No such file"
    with pytest.raises(ValueError, match=message):
        fit(batches)
    gone.write_bytes(content)
    batches.epoch = 0
    assert fit(batches) == first


@pytest.mark.one_backend
@pytest.mark.filterwarnings("error:`shuffle=True` was passed")
def test_a_gan_checks_and_takes_them():
    keras.utils.set_random_seed(0)
    generator_network = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(64, "sigmoid"), keras.layers.Reshape((8, 8, 1))]
    )
    discriminator = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model = GAN(generator_network, discriminator, LatentSpace([Normal(2)]))
    model.compile(generator_optimizer="adam", discriminator_optimizer="adam", run_eagerly=True)
    with pytest.raises(ValueError, match=r"`x` must lie in \[0, 1\]"):
        model.fit(loader(np.rint(IMAGES * 255)), verbose=0)
    assert np.isfinite(model.fit(loader(IMAGES), verbose=0).history["discriminator_loss"]).all()
