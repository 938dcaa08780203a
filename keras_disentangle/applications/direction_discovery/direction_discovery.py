"""Trained generators with learnt directions in their latent spaces, ready-made."""

from pathlib import Path

import keras

from keras_disentangle import models
from keras_disentangle._arguments import is_choice
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._weights import is_path, load_weights, shipped_settings
from keras_disentangle.applications.biggan.biggan import BigGAN
from keras_disentangle.applications.direction_discovery.networks import reconstructor
from keras_disentangle.applications.direction_discovery.presets import PRESETS
from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.applications.progressive_gan.progressive_gan import ProgressiveGAN
from keras_disentangle.latents import LatentSpace, Normal
from keras_disentangle.layers import LatentDirections

FOLDER = Path(__file__).parent
METHODS = ("hessian_penalty", "shift_prediction")


def DirectionDiscovery(
    weights=None, preset=None, generator_weights=None, method="hessian_penalty", seed=None
):
    """A `kd.models.DirectionDiscovery` on a trained generator, or the baseline's counterpart.

    Args:
        weights: the directions: `None` (random), a name from
            `available_weights()["DirectionDiscovery"]`, or the path of a `.weights.h5` or `.keras`
            file of the whole model.
        preset: a name in `kd.applications.direction_discovery.presets.PRESETS`; by default that of
            the weights, else `"clevr_1fov"`.
        generator_weights: weights of the generator, as its application takes them; by default the
            preset's. BigGAN's must be given as a file.
        method: `"hessian_penalty"`, or `"shift_prediction"` for a `kd.models.ShiftPrediction` with
            a small reconstructor: the method of Voynov and Babenko.
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
    is_shipped = weights is not None and not is_path(weights)
    if is_shipped:
        shipped = shipped_settings(FOLDER, weights)
        if not is_choice(preset, (None, shipped["preset"])):
            raise ValueError(
                f"`preset` must be {shipped['preset']!r} for the weights {weights!r}. "
                f"Received: preset={preset!r}"
            )
        if generator_weights is not None:
            raise ValueError(
                "`generator_weights` must be None with directions that ship, which belong to their "
                f"generator. Received: generator_weights={generator_weights!r}"
            )
        preset = shipped["preset"]
    preset = "clevr_1fov" if preset is None else preset
    if not is_choice(preset, PRESETS):
        raise ValueError(f"`preset` must be one of {sorted(PRESETS)}. Received: preset={preset!r}")
    if not is_choice(method, METHODS):
        raise ValueError(f"`method` must be one of {METHODS}. Received: method={method!r}")
    settings = PRESETS[preset]
    generator, space, image_shape, image_range = _generator(settings, generator_weights)
    arguments = {
        "labels": settings.labels,
        "path_size": settings.path_size,
        "image_range": image_range,
        "seed": seed,
    }
    with no_random_values(weights is not None):
        directions = LatentDirections(space.dim, block=settings.block, seed=seed, name="directions")
        if method == "hessian_penalty":
            model = models.DirectionDiscovery(generator, directions, space, **arguments)
        else:
            network = reconstructor(image_shape, directions.num_directions)
            model = models.ShiftPrediction(
                generator,
                network,
                directions,
                space,
                min_step=settings.path_size / 12,
                **arguments,
            )
    if is_shipped:
        load_weights(holder(directions), FOLDER, weights)
    elif weights is not None:
        load_weights(model, FOLDER, weights)
    return model


def holder(directions):
    """A model of the directions alone: what a file of shipped weights holds."""
    return keras.Sequential([keras.Input((directions.num_directions,)), directions])


def _generator(preset, weights):
    """The frozen generator of a preset, its latent space, its images' shape and their range."""
    weights = preset.weights if weights is None else weights
    if weights is None:
        raise ValueError(
            f"`generator_weights` must be a file with weights of {preset.application}, which do "
            "not ship. Received: None"
        )
    if preset.application == "BigGAN":
        generator = BigGAN(weights=weights)
        generator.trainable = False
        return generator, LatentSpace([Normal(generator.latent_dim)]), generator.image_shape, "auto"
    build = {"InfoGAN": InfoGAN, "ProgressiveGAN": ProgressiveGAN}[preset.application]
    model = build(weights=weights)
    generator = model.generator if model.ema_generator is None else model.ema_generator
    generator.trainable = False
    return generator, model.space, model.image_shape, model.image_range
