"""pro-VLAE, ready-made."""

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.provlae.networks import celeba_networks, ladder_networks
from keras_disentangle.models import ProgressiveLadderVAE

NAME = "provlae"
NETWORKS = {"small": ladder_networks, "celeba": celeba_networks}
DEFAULTS = {
    "image_shape": (64, 64, 1),
    "rung_sizes": (3, 3, 3),
    "beta": 1.0,
    "gamma": 0.5,
    "networks": "small",
}


def ProVLAE(
    weights=None,
    image_shape=None,
    rung_sizes=None,
    beta=None,
    gamma=None,
    networks=None,
    seed=None,
):
    """A `ProgressiveLadderVAE` with the networks of the paper.

    Args:
        weights: `None` (random), a name from `available_weights()["ProVLAE"]`, or the path of a
            `.weights.h5` or `.keras` file. A name brings its own settings; a given
            `image_shape`, `rung_sizes` or `networks` must agree with them.
        image_shape: (height, width, channels); 64×64×1 by default.
        rung_sizes: number of latents of each rung, the most abstract first; (3, 3, 3) by default.
        beta: weight of the KL terms; by default that of the weights' training, or 1.
        gamma: weight of the dormant rungs' KL terms; by default that of the weights' training, as
            far as they say it (a `.weights.h5` file does not), or 0.5.
        networks: `"small"` (dSprites, 3DShapes, MNIST) or `"celeba"` (four wider rungs).
        seed: integer seed of the latent noise, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.

    Returns:
        An uncompiled `ProgressiveLadderVAE`. All its rungs are active until the callback
        `ProgressiveFadeIn` sets their ramps, or as trained.

    Raises:
        ValueError: if the weights are unknown, damaged or of another architecture, a setting
            contradicts them, or a setting is out of range.

    Example:

    >>> model = kd.applications.ProVLAE(weights="dsprites")
    >>> images = kd.datasets.DSprites(image_size=32).images([0, 1, 2])
    >>> mean, log_var = model.encode(images / 255.0)

    Reference: Li et al., 2020 (Progressive learning and disentanglement of hierarchical
    representations).
    """
    release = Release(NAME, weights, ("beta", "gamma"))
    settings = release.arguments(
        DEFAULTS,
        {"image_shape": image_shape, "rung_sizes": rung_sizes, "networks": networks},
        {"beta": beta, "gamma": gamma},
    )
    build = NETWORKS[check_choice("networks", settings["networks"], sorted(NETWORKS))]
    sizes = [_as_tuple(name, settings[name]) for name in ("image_shape", "rung_sizes")]
    objective = {name: settings[name] for name in ("beta", "gamma")}
    with release.building():
        model = ProgressiveLadderVAE(**build(*sizes), **objective, seed=seed, name=NAME)
    release.load(model, seed=seed, ramps={model.ramps["beta"]: beta})
    return model


def _as_tuple(name, value):
    if not isinstance(value, (tuple, list)):
        raise ValueError(f"`{name}` must be a tuple of integers. Received: {name}={value!r}")
    return tuple(check_int(name, size) for size in value)
