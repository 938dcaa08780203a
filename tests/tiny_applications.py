"""Recipes of a few pixels and steps: a row for each application."""

from collections.abc import Callable
from dataclasses import dataclass, make_dataclass, replace

import keras
import numpy as np
from keras import layers
from tiny_networks import network

from keras_disentangle.applications._shared.recipe import setting
from keras_disentangle.applications.autoencoders import application as autoencoders
from keras_disentangle.applications.autoencoders import recipes as autoencoders_recipes
from keras_disentangle.applications.direction_discovery import direction_discovery, measures
from keras_disentangle.applications.discriminative_vae import classifier, discriminative_vae
from keras_disentangle.applications.discriminative_vae import recipes as discriminative_recipes
from keras_disentangle.applications.info_gan import networks as info_gan_networks
from keras_disentangle.applications.info_gan import recipes as info_gan
from keras_disentangle.applications.progressive_gan import application as progressive_gan
from keras_disentangle.applications.progressive_gan import data as progressive_gan_data
from keras_disentangle.applications.progressive_gan import recipes as progressive_gan_recipes
from keras_disentangle.applications.provlae import recipes as provlae
from keras_disentangle.latents import LatentSpace, Normal

PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 8, 8, 1), dtype="uint8")
LABELS = np.arange(24) % 3


@dataclass(frozen=True)
class Tiny:
    """How an application is tested.

    Attributes:
        recipe: function (patch, folder) to the recipe: two epochs at least. What makes networks and
            measures small is patched for as long as the tests run.
        evaluation: flags that give the scores of the end of the training.
        files: fields of the recipe that name files, which a release leaves out.
    """

    recipe: Callable
    evaluation: tuple = ()
    files: tuple = ()


def directions(patch, folder):
    """Of a generator of a few pixels, with scores in place of those measured on many codes."""
    generator = network((12,), layers.Dense(192, "tanh"), layers.Reshape((8, 8, 3)))
    generator.trainable = False
    found = generator, LatentSpace([Normal(12)]), (8, 8, 3), (-1.0, 1.0)
    patch.setattr(direction_discovery, "_generator", lambda recipe: found)
    patch.setattr(measures, "RANDOM_SEEDS", (1000,))
    patch.setattr(measures, "scores", lambda *_: dict.fromkeys(measures.NUMBERS, 0.5))
    patch.setattr(measures, "position_explained", lambda model, directions: 0.25)
    known = direction_discovery.RECIPES["clevr_1fov"]
    return replace(known, steps=4, steps_per_epoch=2, batch_size=2)


def codes(patch, folder):
    """On labelled images in a file."""

    def networks(latent_dim):
        image = keras.Input((8, 8, 1))
        features = layers.Dense(6, "tanh")(layers.Flatten()(image))
        return {
            "generator": network(
                (latent_dim,), layers.Dense(64, "sigmoid"), layers.Reshape((8, 8, 1))
            ),
            "discriminator": keras.Model(image, [layers.Dense(1)(features), features]),
        }

    patch.setitem(info_gan_networks.NETWORKS, "tiny", networks)
    preset = info_gan.Preset("tiny", (8, 8, 1), 3, (3,), continuous=2, q_hidden=4, batch_size=8)
    patch.setitem(info_gan.PRESETS, "tiny", preset)
    return info_gan.Recipe(
        "tiny",
        labelled_images(folder),
        steps=6,
        steps_per_epoch=2,
        first_weight=0.1,
        last_weight=1.0,
        ramp_steps=4,
        classes_every=2,
    )


GROWING = progressive_gan_recipes._recipes(
    "tiny",
    {"images_per_fade": 8, "images_per_stage": 8},
    images=32,
    more_images=16,
    whole=48,
    hessian_weight=0.01,
    jacobian_weight=1e-4,
    ramp_images=8,
    data="clevr_simple",
    images_per_epoch=8,
)


def growing(patch, folder):
    """From 4×4 to 8×8 pixels, measured on few images; its siblings are in `GROWING`."""
    preset = progressive_gan_recipes.Preset(
        resolution=8, latent_dim=3, base_channels=16, max_channels=4, zoom=2.0, batch_size=4
    )
    patch.setitem(progressive_gan_recipes.PRESETS, "tiny", preset)
    patch.setattr(progressive_gan_data, "NUM_IMAGES", 24)
    for command in ("evaluation", "comparison"):
        kind = getattr(progressive_gan.ProgressiveGANApplication, command)
        few = make_dataclass(
            "Few",
            [(name, int, setting(20, help="few")) for name in ("samples", "paths")],
            bases=(kind,),
            frozen=True,
        )
        patch.setattr(progressive_gan.ProgressiveGANApplication, command, few)
    return GROWING["scratch"]


def labelled_images(folder):
    path = folder / "images.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[::-1], y_test=LABELS[::-1])
    return str(path)


def rungs(patch, folder):
    """Two rungs, two epochs of two steps a stage, on images without factors."""
    return provlae.Recipe(
        labelled_images(folder), (8, 8, 1), (2, 1), 4, 4, fade_steps=2, epochs_per_stage=2
    )


def classifier_network(image_shape, num_outputs=2):
    """The layers of the paper's names, and of the evaluator's, for images of any size."""
    x = image = keras.Input(image_shape)
    for i in range(1, 7):
        x = layers.Conv2D(2, 2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.5, name=f"norm_{i}")(x)
    x = layers.Dense(3, "tanh", name="features")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(num_outputs)(x))


def features(patch, folder):
    """Those of a classifier of a few units, which is trained first."""
    for name in classifier.ARCHITECTURES:
        patch.setitem(classifier.ARCHITECTURES, name, classifier_network)
    patch.setattr(discriminative_vae, "classifier_network", classifier_network)
    classifier_network((8, 8, 1), 3).save(evaluator := folder / "evaluator.keras")
    return discriminative_recipes.Recipe(
        labelled_images(folder),
        (8, 8, 1),
        "small",
        3,
        feature_weight=0.5,
        ramp_steps=2,
        batch_size=11,
        epochs=2,
        classifier_epochs=2,
        evaluator=str(evaluator),
    )


def methods(patch, folder):
    """Two epochs of two steps, on a grid of factors in a file."""
    factors = np.stack(np.unravel_index(np.arange(24), (2, 3, 4)), axis=-1)
    few = [
        ("metrics", tuple[str, ...] | None, setting(("mig", "factor_vae"), help="few")),
        ("votes", int, setting(8, help="few")),
    ]
    kind = make_dataclass("Few", few, bases=(autoencoders.Evaluation,), frozen=True)
    patch.setattr(autoencoders.AutoencodersApplication, "evaluation", kind)
    path = folder / "grid.npz"
    np.savez(path, images=PIXELS, factors=factors)
    return autoencoders_recipes.Recipe(
        str(path),
        (8, 8, 1),
        4,
        1e-3,
        "small",
        strength=1.0,
        latent_dim=3,
        batch_size=4,
        steps_per_epoch=2,
    )


TINY = {
    "autoencoders": Tiny(methods),
    "direction_discovery": Tiny(directions),
    "discriminative_vae": Tiny(features, files=("evaluator",)),
    "info_gan": Tiny(codes, ("--data", "{data}")),
    "progressive_gan": Tiny(growing),
    "provlae": Tiny(rungs),
}
