"""Why discriminative regularisation leaves a texture: the experiment of section 5.5, Figure 7.

    python -m keras_disentangle.applications.discriminative_vae.blurred_features --data-dir DATA

A convolutional auto-encoder (not variational) learns 100 images by the features of a classifier's
first two layers alone: once as they are, once with each channel blurred. The columns of the
picture: images; reconstructions of the first; those of a trained discriminative VAE; those of the
second. About two minutes on a CPU.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

import keras_disentangle as kd
from keras_disentangle._arguments import check_int, check_weight
from keras_disentangle.applications._shared import parsers
from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications.discriminative_vae.application import APPLICATION
from keras_disentangle.applications.discriminative_vae.data import load_splits
from keras_disentangle.layers import FeatureNetwork, UpConv2D
from keras_disentangle.visualization import image_grid, save_png


def feature_loss(features, blur):
    """A Keras loss: the squared error of features of reconstructions to those of images, blurred.

    Args:
        features: `FeatureNetwork`.
        blur: standard deviation of the Gaussian that the features of images are blurred by, in
            places of the feature map; 0 for none.
    """

    def loss(images, reconstructions):
        wanted, found = features.activations(images), features.activations(reconstructions)
        errors = [
            ops.mean(ops.square(found[name] - ops.stop_gradient(blurred(wanted[name], blur))))
            for name in wanted
        ]
        return sum(errors)

    return loss


def blurred(maps, std):
    """Feature maps (n, h, w, c), each channel blurred by a Gaussian; edges are mirrored."""
    if not std:
        return maps
    radius = min(int(np.ceil(3 * std)), min(maps.shape[1:3]) - 1)
    places = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (places / std) ** 2)
    kernel = (kernel / kernel.sum()).astype("float32")
    channels = maps.shape[-1]
    for axis, shape in ((1, (-1, 1)), (2, (1, -1))):
        sides = [[radius, radius] if i == axis else [0, 0] for i in range(4)]
        maps = ops.pad(maps, sides, mode="reflect")
        weights = np.tile(kernel.reshape(*shape, 1, 1), (1, 1, channels, 1))
        maps = ops.depthwise_conv(maps, weights, padding="valid")
    return maps


def autoencoder(image_shape, widths=(32, 64)):
    """An untrained convolutional auto-encoder whose code is a map: it can learn 100 images."""
    x = image = keras.Input(image_shape)
    for width in widths:
        x = layers.Conv2D(width, 4, strides=2, padding="same", activation="elu")(x)
    for width in (*widths[-2::-1], None):
        x = UpConv2D(width or image_shape[-1], 4, strides=2, activation="elu" if width else None)(x)
    return keras.Model(image, layers.Activation("sigmoid")(x), name="autoencoder")


def reconstructions(images, features, blur, steps=2000, seed=0, verbose="auto"):
    """What an auto-encoder that was trained on all of some images at once makes of them.

    Args:
        images: float32 (n, h, w, c) in [0, 1].
        features, blur: as in `feature_loss`.
        steps: training steps of Adam.
        seed: of the weights.

    Returns:
        (images, error): float32 like `images`, and the mean squared error of their features to the
        blurred ones.
    """
    keras.utils.set_random_seed(seed)
    model = autoencoder(images.shape[1:])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), feature_loss(features, blur))
    # Each step sees all of the images; an epoch has as many steps as go into their number.
    repeats = math.gcd(steps, 100)
    x, options = np.tile(images, (repeats, 1, 1, 1)), {"shuffle": False, "verbose": verbose}
    history = model.fit(x, x, len(images), epochs=steps // repeats, **options).history
    found = model.predict(images, batch_size=len(images), verbose=0)
    return found, history["loss"][-1]


def fine_texture(images):
    """Mean power of images (n, h, w, c) at wavelengths below three pixels, in either direction."""
    spectrum = np.abs(np.fft.fft2(images, axes=(1, 2), norm="ortho")) ** 2
    rows, columns = (np.abs(np.fft.fftfreq(side)) > 1 / 3 for side in images.shape[1:3])
    return float(
        spectrum[:, rows[:, None] | columns].sum(axis=1).mean() / np.prod(images.shape[1:3])
    )


@dataclass(frozen=True)
class Experiment:
    """What is learnt, and drawn."""

    layers: tuple[str, ...] = setting(("norm_1", "norm_2"), help="of the model's classifier")
    blur: float = setting(1.0, help="standard deviation of the blur, in places of a feature map")
    images: int = setting(100, help="how many are learnt")
    rows: int = setting(10, help="of the picture")
    steps: int = setting(2000, help="training steps of each auto-encoder")
    seed: int = setting(0, help="of the weights, and of the choice of images")


def main(arguments=None):
    out = {"default": "runs/blurred_features.png", "help": "the picture"}
    flags = {**parsers.of_weights(APPLICATION), **parsers.DATA, "--out": out}
    parser = parsers.Parser(None, __doc__.splitlines()[0], flags, Experiment)
    options = parser.read(arguments)
    chosen = parsers.settings_of(Experiment, options)
    for name in ("rows", "images", "steps"):
        check_int(name, getattr(chosen, name))
    check_weight("blur", chosen.blur)
    model = APPLICATION.load(parsers.check_weights(APPLICATION, options["weights"]))
    if not isinstance(model, kd.models.DiscriminativeVAE):
        raise ValueError(f"`weights` must be of a DiscriminativeVAE. Received: {type(model)}")
    own = model.feature_loss.feature_model
    features = FeatureNetwork(
        own.network, list(chosen.layers), own.preprocessing, own.image_size, own.repeat_grey
    )
    data = options["data"] or APPLICATION.default_data
    images, _ = load_splits(data, model.image_shape, options["data_dir"])["test"]
    rng, number = np.random.default_rng(chosen.seed), min(chosen.images, len(images))
    images = to_float(images[rng.choice(len(images), number, replace=False)])
    columns = {"images": images}
    for name, blur in (("as they are", 0.0), ("blurred", chosen.blur)):
        columns[name], error = reconstructions(
            images, features, blur, chosen.steps, chosen.seed, verbose=0
        )
        print(f"auto-encoder, features {name:12} squared error of the features {error:.4g}")
    vae = in_batches(model.reconstruct, images)
    shown = [columns["images"], columns["as they are"], vae, columns["blurred"]]
    names = ("images", "features as they are", "discriminative VAE", "features blurred")
    print(f"{'':22}squared error of a pixel   power below 3 pixels")
    for name, found in zip(names, shown, strict=True):
        error = np.square(found - images).mean()
        print(f"{name:22}{error:24.5f}   {fine_texture(found):20.6f}")
    rows = np.stack(shown, axis=1)[: chosen.rows].reshape(-1, *model.image_shape)
    labels = ["images", "as they are", "VAE", "blurred"]
    grid = image_grid(rows.clip(0, 1), len(shown), column_labels=labels)
    save_png(Path(options["out"]), grid)
    print(f"picture  {options['out']}")


if __name__ == "__main__":
    main()
