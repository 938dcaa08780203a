"""Trained generators with learnt directions in their latent spaces, ready-made."""

from dataclasses import replace

import keras

from keras_disentangle import models
from keras_disentangle._arguments import check_choice
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.biggan.biggan import BigGAN
from keras_disentangle.applications.direction_discovery.networks import reconstructor
from keras_disentangle.applications.direction_discovery.recipes import RECIPES
from keras_disentangle.applications.direction_discovery.untrained import FOUND
from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.layers import LatentDirections

NAME = "direction_discovery"
METHODS = ("hessian_penalty", "shift_prediction", "latent_clr", "sefa", "ganspace")
UNTRAINED = ("sefa", "ganspace")
GENERATORS = {"BigGAN": BigGAN, "InfoGAN": InfoGAN, "ProgressiveGAN": ProgressiveGAN}


def DirectionDiscovery(
    weights=None, preset=None, generator_weights=None, method="hessian_penalty", seed=None
):
    """A `kd.models.DirectionDiscovery` on a trained generator, or the counterpart of a baseline.

    Args:
        weights: the directions: `None` (random), a name from
            `available_weights()["DirectionDiscovery"]`, or the path of a `.weights.h5` or `.keras`
            file of the whole model.
        preset: a name in `kd.applications.direction_discovery.recipes.RECIPES`; by default that of
            the weights, else `"clevr_1fov"`.
        generator_weights: weights of the generator, as its application takes them; by default the
            preset's. BigGAN's must be given as a file.
        method: `"hessian_penalty"`; `"shift_prediction"` for a `kd.models.ShiftPrediction` with a
            small reconstructor: the method of Voynov and Babenko; `"latent_clr"` for a
            `kd.models.LatentCLR`; or, without training, `"sefa"` and `"ganspace"`, whose directions
            come from the first layer (`kd.latents.closed_form_directions`) and from what enters the
            second (`kd.latents.principal_directions`).
        seed: integer seed of the random directions and all that is drawn, or `None`.

    Returns:
        An uncompiled model. `model.directions.matrix()` are the directions, `model.edit` moves
        latents along them.

    Raises:
        ValueError: if a name is unknown, or weights are missing, damaged or do not go together.

    Example:

    >>> model = kd.applications.DirectionDiscovery(weights="clevr_1fov")
    >>> z = model.space.sample(6, seed=0)
    >>> images = model.decode(model.edit(z, direction=0, amount=2.0, orthogonal=True))

    References: Peebles et al., 2020 (The Hessian Penalty), section 4.4; Voynov and Babenko, 2020.
    """
    release = Release(NAME, weights)
    settings = release.arguments({"preset": "clevr_1fov"}, {"preset": preset})
    if release.is_bundled and generator_weights is not None:
        raise ValueError(
            "`generator_weights` must be None with bundled directions, which belong to their "
            f"generator. Received: generator_weights={generator_weights!r}"
        )
    recipe = RECIPES[check_choice("preset", settings["preset"], sorted(RECIPES))]
    if generator_weights is not None:
        recipe = replace(recipe, generator_weights=generator_weights)
    with release.building():
        model = build(recipe, method, seed)
    release.load(directions_of(model) if release.is_bundled else model)
    return model


def build(recipe, method="hessian_penalty", seed=None):
    """The model of a recipe, with its trained generator and directions that are random, or those
    of a method that needs no training."""
    check_choice("method", method, METHODS)
    generator, space, image_shape, image_range = _generator(recipe)
    arguments = {
        "labels": recipe.labels,
        "path_size": recipe.path_size,
        "image_range": image_range,
        "seed": seed,
    }
    if method in UNTRAINED:
        found = FOUND[method](generator, space, recipe.block, seed or 0)
        directions = LatentDirections.from_matrix(found, block=recipe.block, name="directions")
        return models.DirectionDiscovery(generator, directions, space, **arguments)
    directions = LatentDirections(space.dim, block=recipe.block, seed=seed, name="directions")
    if method == "latent_clr":
        arguments["path_size"] = recipe.path_size / 5
        return models.LatentCLR(generator, directions, space, **arguments)
    if method == "hessian_penalty":
        return models.DirectionDiscovery(generator, directions, space, **arguments)
    network = reconstructor(image_shape, directions.num_directions)
    return models.ShiftPrediction(
        generator, network, directions, space, min_step=recipe.path_size / 12, **arguments
    )


def directions_of(model):
    """A model of the directions alone: what a file of bundled weights holds."""
    directions = model.directions
    return keras.Sequential([keras.Input((directions.num_directions,)), directions])


def _generator(recipe):
    """The frozen generator of a recipe, its latent space, its images' shape and their range."""
    check_choice("generator", recipe.generator, sorted(GENERATORS))
    weights = recipe.generator_weights
    if weights is None:
        raise ValueError(
            f"`generator_weights` must be a file with weights of {recipe.generator}, which are "
            "not bundled. Received: None"
        )
    model = GENERATORS[recipe.generator](weights=weights)
    if recipe.generator == "BigGAN":
        model.trainable = False
        return model, LatentSpace([Normal(model.latent_dim)]), model.image_shape, "auto"
    generator = model.generator if model.ema_generator is None else model.ema_generator
    generator.trainable = False
    return generator, model.space, model.image_shape, model.image_range
