"""The auto-encoders of the comparison, ready-made."""

from keras_disentangle._arguments import check_choice, check_int, check_weight
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.autoencoders.methods import METHODS, Making
from keras_disentangle.applications.autoencoders.networks import LEVELS

NAME = "autoencoders"
DEFAULTS = {
    "method": next(iter(METHODS)),
    "image_shape": (32, 32, 3),
    "latent_dim": 10,
    "networks": "small",
}


def Autoencoder(
    weights=None,
    method=None,
    image_shape=None,
    latent_dim=None,
    strength=None,
    networks=None,
    seed=None,
):
    """A model of any of the field's methods, with the networks on which they are compared.

    Args:
        weights: `None` (random), a name from `available_weights()["Autoencoder"]`, or the path of
            a `.weights.h5` or `.keras` file of such a model. A name brings its own settings; given
            ones must agree with them.
        method: name of the method, `"beta_vae"` by default; `keras-disentangle list` shows all.
        image_shape: (height, width, channels); 32×32×3 by default.
        latent_dim: number of latents, 10 by default.
        strength: the method's own weight: beta, gamma, …; by default a published one.
        networks: `"small"` (sides that are multiples of 8) or `"locatello"`, those of the large
            study (multiples of 16).
        seed: integer seed of the latent noise, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.

    Returns:
        An uncompiled model of the method's class in `kd.models`.

    Raises:
        ValueError: if the weights are unknown, damaged or of another architecture, a setting
            contradicts them, or a setting is out of range.

    Example:

    >>> model = kd.applications.Autoencoder(method="beta_vae", strength=4.0)
    >>> model.encode(np.zeros((2, 32, 32, 3)))[0].shape
    (2, 10)

    Reference: Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
    Disentangled Representations, ICML 2019.
    """
    given = {
        "method": method,
        "image_shape": image_shape,
        "latent_dim": latent_dim,
        "strength": strength,
        "networks": networks,
    }
    release = Release(NAME, weights)
    settings = release.arguments(DEFAULTS, given)
    method = METHODS[check_choice("method", settings["method"], tuple(METHODS))]
    check_choice("networks", settings["networks"], tuple(LEVELS))
    strength = check_weight("strength", settings.get("strength", method.strength))
    shape = settings["image_shape"]
    if not isinstance(shape, (tuple, list)) or len(shape) != 3:
        raise ValueError(
            f"`image_shape` must be (height, width, channels). Received: image_shape={shape!r}"
        )
    making = Making(
        settings["method"],
        tuple(check_int("image_shape", side) for side in shape),
        check_int("latent_dim", settings["latent_dim"]),
        settings["networks"],
        strength,
        seed,
    )
    with release.building():
        model = method.make(making)
    release.load(model, seed=seed)
    return model
