"""A small network that reads CLEVR's factors off images: what measures of images are taken in.

    python -m keras_disentangle.applications.progressive_gan.features --out features.keras

The layers of a network that tells colours, shapes and places apart see what matters in these
images; one that was trained on photographs would need an enlarged image and pretrained weights. On
one CPU core the training takes about two minutes. `weights/features.keras` was made by this.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_disentangle as kd
from keras_disentangle.applications._shared import parsers
from keras_disentangle.applications._shared.files import load_model, save_model
from keras_disentangle.applications._shared.recipe import given, setting
from keras_disentangle.applications._shared.release import verified
from keras_disentangle.applications.progressive_gan.recipes import PRESETS

BUNDLED = Path(__file__).parent / "weights" / "features.keras"
FEATURES = "features"  # the layer for Frechet distances
MAPS = ("conv_1", "conv_2", "conv_3", "conv_4")  # those for distances of images
PLACES = ["x", "y"]


def build_network(image_size):
    """An untrained network: images (n, s, s, 3) in [0, 1] to a dict of `color` (n, 8) and `shape`
    (n, 3), both logits, and `place` (n, 2), x and y from -1 to 1.

    Args:
        image_size: s, a multiple of 8.
    """
    x = image = keras.Input((image_size, image_size, 3))
    for i, filters in enumerate((16, 32, 48, 64), start=1):
        strides = 1 if i == 1 else 2
        x = layers.Conv2D(filters, 3, strides, "same", activation="relu", name=f"conv_{i}")(x)
    # As many numbers for all sizes, and still where in the image they come from.
    x = layers.AveragePooling2D(image_size // 32)(x) if image_size > 32 else x
    x = layers.Dense(64, "relu", name=FEATURES)(layers.Flatten()(x))
    outputs = {
        "color": layers.Dense(len(kd.datasets.Clevr.COLORS), name="color")(x),
        "shape": layers.Dense(len(kd.datasets.Clevr.SHAPES), name="shape")(x),
        "place": layers.Dense(len(PLACES), name="place")(x),
    }
    return keras.Model(image, outputs, name="clevr_features")


def train(image_size=32, zoom=2.0, steps=4000, batch_size=64, seed=0, verbose="auto"):
    """A network trained on nine tenths of `Clevr("simple")`, and its scores on the rest.

    Returns:
        (network, scores): the scores are "color" and "shape", shares of right answers, and "x" and
        "y", the coefficients of determination R².
    """
    keras.utils.set_random_seed(seed)
    data = kd.datasets.Clevr("simple", image_size=image_size, zoom=zoom)
    index = np.random.default_rng(seed).permutation(len(data))
    held_out, index = np.split(index, [len(data) // 10])
    network = build_network(image_size)
    epochs = 10
    network.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss={
            "color": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "shape": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "place": keras.losses.MeanSquaredError(),
        },
        loss_weights={"color": 1.0, "shape": 1.0, "place": 10.0},
    )
    batches = _Batches(data, index, batch_size, steps // epochs, seed)
    network.fit(batches, epochs=epochs, verbose=verbose)
    images, wanted = data.images(held_out) / np.float32(255), _answers(data, held_out)
    found = network.predict(images, batch_size=250, verbose=0)
    scores = {
        name: float(np.mean(found[name].argmax(axis=1) == wanted[name]))
        for name in ("color", "shape")
    }
    unexplained = np.square(found["place"] - wanted["place"]).mean(0) / wanted["place"].var(0)
    return network, {**scores, **dict(zip(PLACES, (1 - unexplained).tolist(), strict=True))}


def load(path=None):
    """`(features, distance)` in a trained network: a `kd.metrics.ImageFeatures` for
    `frechet_distance`, and a distance for `perceptual_path_length`.

    Args:
        path: a `.keras` file that this module has written; by default the bundled one.

    Raises:
        ValueError: if there is none, or it is damaged, or the bundled one was altered.
    """
    network = load_model(path or verified(BUNDLED), "features")
    return (
        kd.metrics.ImageFeatures(network, [FEATURES], batch_size=500),
        kd.metrics.feature_distance(network, MAPS, batch_size=100),
    )


class _Batches(keras.utils.PyDataset):
    """Random images of a data set with what is to be read off them."""

    def __init__(self, data, index, batch_size, steps, seed):
        super().__init__()
        self.data, self.index, self.batch_size = data, index, batch_size
        self.steps, self.seed, self.epoch = steps, seed, 0

    def __len__(self):
        return self.steps

    def __getitem__(self, i):
        rng = np.random.default_rng((self.seed, self.epoch, i))
        index = rng.choice(self.index, self.batch_size)
        return self.data.images(index) / np.float32(255), _answers(self.data, index)

    def on_epoch_end(self):
        self.epoch += 1


def _answers(data, index):
    factors = dict(zip(data.factor_names, data.factors(index).T, strict=True))
    sizes = dict(zip(data.factor_names, data.factor_sizes, strict=True))
    places = [2 * factors[name] / (sizes[name] - 1) - 1 for name in PLACES]
    return {
        "color": factors["color"],
        "shape": factors["shape"],
        "place": np.stack(places, axis=1).astype("float32"),
    }


@dataclass(frozen=True)
class Settings:
    """How a network is trained."""

    image_size: int = setting(PRESETS["small"].resolution, help="pixels a side")
    zoom: float = setting(PRESETS["small"].zoom, help="that of the images")
    steps: int = setting(4000, help="training steps")
    seed: int = setting(0, help="of weights and order")


def main(arguments=None):
    """Command line of this module."""
    out = {"--out": {"default": "runs/features.keras", "help": "the file that is written"}}
    options = parsers.Parser(None, __doc__.splitlines()[0], out, Settings).read(arguments)
    network, scores = train(**given(options, Settings))
    # Without the optimizer.
    save_model(keras.Model(network.input, network.output), path := Path(options["out"]))
    print(f"held-out images: {scores}; written to {path}")


if __name__ == "__main__":
    main()
