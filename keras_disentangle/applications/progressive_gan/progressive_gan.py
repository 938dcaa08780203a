"""Progressive GANs, ready-made."""

from dataclasses import replace

import keras

from keras_disentangle import models
from keras_disentangle._arguments import check_choice, check_int, is_choice
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.progressive_gan.networks import q_network
from keras_disentangle.applications.progressive_gan.recipes import PRESETS
from keras_disentangle.latents import LatentSpace, Normal

NAME = "progressive_gan"
DEFAULTS = {"preset": "paper", "latent_dim": None, "informative": 0}


def ProgressiveGAN(
    weights=None,
    preset=None,
    latent_dim=None,
    informative=None,
    hessian_penalty="auto",
    seed=None,
    penalties="auto",
):
    """A `kd.models.ProgressiveGAN` with the networks of the Hessian penalty's experiments.

    With weights, it is ready to be fine-tuned: generator, discriminator and the running mean of the
    generator are the trained ones, and the count of steps continues.

    Args:
        weights: `None` (random), a name from `available_weights()["ProgressiveGAN"]`, which brings
            its own settings along, or the path of a `.weights.h5` or `.keras` file.
        preset: a name in `kd.applications.progressive_gan.recipes.PRESETS`: `"paper"` (the
            default, 128×128) or `"small"` (32×32, for CPUs).
        latent_dim: width of the latent space; by default the preset's, 12.
        informative: number of the first latent components that a second head of the discriminator
            reads off the images: with 1 or more, the model is the paper's InfoGAN baseline, a
            `kd.models.ProgressiveInfoGAN`. 0 by default.
        hessian_penalty: `None`, or a dict of settings, as for `kd.models.ProgressiveGAN` (`{}`
            for its defaults). `"auto"`: as the weights were trained, as far as they say it (a
            `.weights.h5` file does not), and `None` for random ones. The ramp `hessian_weight`
            begins at the weight at which that training ended, or at 0 if it had no such penalty.
        seed: integer seed of the codes, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.
        penalties: list of further `kd.penalties.GeneratorPenalty` objects, such as an
            `OrthogonalJacobian`. `"auto"`: as the weights were trained, as far as they say it, with
            the weight at which that training ended; otherwise none.

    Returns:
        An uncompiled model; `PRESETS[preset].optimizers()` is what the paper compiles it with.

    Raises:
        ValueError: if the preset or the weights are unknown, the weights damaged or of another
            architecture, a setting contradicts them, or a setting is out of range.

    Example:

    >>> from keras_disentangle.applications.progressive_gan.recipes import PRESETS
    >>> model = kd.applications.ProgressiveGAN(weights="clevr_1fov", hessian_penalty={})
    >>> model.compile(**PRESETS["small"].optimizers())
    >>> ramp = kd.callbacks.RampWeight("hessian_weight", 1e-3, steps=10_000)
    >>> images = kd.datasets.Clevr("1fov", image_size=model.image_shape[0]).images(range(16))
    >>> model.fit(images / 255.0, batch_size=16, epochs=50, callbacks=[ramp])

    References: Peebles et al., 2020 (The Hessian Penalty); Karras et al., 2018 (progressive GANs).
    """
    given = {"preset": preset, "latent_dim": latent_dim, "informative": informative}
    release = Release(NAME, weights, ("hessian_penalty", "penalties"))
    settings = release.arguments(DEFAULTS, given)
    if hessian_penalty == "auto":
        hessian_penalty = release.settings.get("hessian_penalty")
    if is_choice(penalties, ("auto",)):
        known = release.settings.get("penalties", ())
        penalties = [keras.saving.deserialize_keras_object(penalty) for penalty in known]
    check_choice("preset", settings["preset"], sorted(PRESETS))
    chosen = {name: settings[name] for name in DEFAULTS}
    with release.building():
        model = _build(**chosen, hessian_penalty=hessian_penalty, penalties=penalties, seed=seed)
    ramps = {}
    if hessian_penalty is not None:
        # Bundled weights hold no ramp of a penalty; those of a training hold their own.
        ramps[model.ramps["hessian_weight"]] = release.settings.get("hessian_weight")
    release.load(model, seed=seed, ramps=ramps)
    return model


def copy_networks(trained, model):
    """Gives `model` the weights of all networks of a trained one, and nothing else of it.

    Raises:
        ValueError: if they have not the same networks.
    """
    parts = ("generator", "discriminator", "ema_generator", "q_head")
    found = [[part for part in parts if getattr(m, part, None)] for m in (trained, model)]
    shapes = [
        [weight.shape for part in found[0] for weight in getattr(m, part, m).weights]
        for m in (trained, model)
    ]
    if found[0] != found[1] or shapes[0] != shapes[1]:
        raise ValueError(
            f"The trained model must have networks like those of {model.name}: {found[1]}, of "
            f"equal sizes. Received: {trained.name}, with {found[0]}"
        )
    for part in found[0]:
        getattr(model, part).set_weights(getattr(trained, part).get_weights())


def _build(preset, latent_dim, informative, hessian_penalty, penalties, seed):
    preset = PRESETS[preset]
    if latent_dim is not None:
        preset = replace(preset, latent_dim=check_int("latent_dim", latent_dim))
    arguments = {
        **preset.networks(),
        "objective": preset.objective,
        "gradient_penalty": preset.gradient_penalty,
        "hessian_penalty": hessian_penalty,
        "penalties": penalties,
        "seed": seed,
    }
    informative, dim = check_int("informative", informative, minimum=0), preset.latent_dim
    if not informative:
        return models.ProgressiveGAN(**arguments, name=NAME)
    if informative > dim:
        raise ValueError(
            f"`informative` must be at most `latent_dim`, {dim}. Received: "
            f"informative={informative}"
        )
    codes = [Normal(informative, informative=True, posterior_std=1.0, name="informative")]
    if informative < dim:
        codes.append(Normal(dim - informative, name="noise"))
    space = LatentSpace(codes)
    return models.ProgressiveInfoGAN(
        **arguments,
        q_head=q_network(arguments["discriminator"], space.num_params),
        space=space,
        # The authors' mean squared error, with their weight of 1.
        information_weight=2 / informative,
        name="progressive_info_gan",
    )
