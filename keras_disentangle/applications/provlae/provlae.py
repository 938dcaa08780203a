"""pro-VLAE, ready-made."""

from pathlib import Path

from keras import ops

from keras_disentangle._arguments import check_int, is_choice
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._weights import is_path, load_weights, trained_settings
from keras_disentangle.applications.provlae.networks import celeba_networks, ladder_networks
from keras_disentangle.models import ProgressiveLadderVAE

FOLDER = Path(__file__).parent
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
    given = {
        "image_shape": image_shape,
        "rung_sizes": rung_sizes,
        "beta": beta,
        "gamma": gamma,
        "networks": networks,
    }
    given = {name: value for name, value in given.items() if value is not None}
    trained = trained_settings(FOLDER, weights, ("beta", "gamma"))
    if weights is not None and not is_path(weights):
        for name in ("image_shape", "rung_sizes", "networks"):
            if name in given and _plain(given[name]) != _plain(trained[name]):
                raise ValueError(
                    f"`{name}` must be {trained[name]} for the weights {weights!r}. "
                    f"Received: {name}={given[name]}"
                )
    settings = {**DEFAULTS, **trained, **given}
    if not is_choice(settings["networks"], NETWORKS):
        raise ValueError(
            f"`networks` must be one of {sorted(NETWORKS)}. "
            f"Received: networks={settings['networks']!r}"
        )
    build = NETWORKS[settings["networks"]]
    sizes = [_as_tuple(name, settings[name]) for name in ("image_shape", "rung_sizes")]
    with no_random_values(weights is not None):
        model = ProgressiveLadderVAE(
            **build(*sizes),
            beta=settings["beta"],
            gamma=settings["gamma"],
            seed=seed,
            name="provlae",
        )
    if weights is not None:
        noise = ops.convert_to_numpy(model.sampling.seed_generator.state)
        load_weights(model, FOLDER, weights)
        # The file also holds the state of a training; what was asked for goes before it.
        if beta is not None:
            model.ramps["beta"].set(beta, beta, 0, 0)
        if seed is not None:
            model.sampling.seed_generator.state.assign(noise)
    return model


def _as_tuple(name, value):
    if not isinstance(value, (tuple, list)):
        raise ValueError(f"`{name}` must be a tuple of integers. Received: {name}={value!r}")
    return tuple(check_int(name, size) for size in value)


def _plain(value):
    return list(value) if isinstance(value, (tuple, list)) else value
