"""The discriminative VAE, ready-made."""

from keras_disentangle import models
from keras_disentangle._arguments import check_choice
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._shared.release import Release
from keras_disentangle.applications.discriminative_vae.networks import (
    FEATURES,
    NETWORKS,
    classifier_network,
)
from keras_disentangle.losses import FeatureMatchingLoss

NAME = "discriminative_vae"
DEFAULTS = {
    "image_shape": (64, 64, 3),
    "latent_dim": 500,
    "networks": "celeba",
    "pixel_scale": "full",
    "beta": 1.0,
    "encoder_gradient": True,
}


def DiscriminativeVAE(
    weights=None,
    feature_loss=None,
    image_shape=None,
    latent_dim=None,
    networks=None,
    pixel_scale=None,
    beta=None,
    encoder_gradient=None,
    seed=None,
):
    """A `kd.models.DiscriminativeVAE` with the networks of the paper.

    Args:
        weights: `None` (random), a name from `available_weights()["DiscriminativeVAE"]`, which
            brings its settings along, or the path of a `.weights.h5` or `.keras` file.
        feature_loss: a `FeatureMatchingLoss` of a trained classifier: of `train_classifier` in
            `applications.discriminative_vae.classifier`, or any other `FeatureNetwork`. It must be
            left out with bundled weights, whose file holds that of the training run. Weights of a
            path are loaded into its classifier and log sigma too; the weights of its layers stay.
        image_shape: (height, width, channels); 64×64×3 by default.
        latent_dim: number of latents; 500 by default.
        networks: `"celeba"`, those of the paper, or `"small"`, for 28×28 and 32×32.
        pixel_scale: `"full"` (the default), `"channel"` or `"scalar"`.
        beta: weight of the KL term; by default that of the weights' training, or 1.
        encoder_gradient: whether the encoder is trained on the discriminative terms too; by default
            as the weights were trained, as far as they say it (a `.weights.h5` file does not), or
            `True`.
        seed: integer seed of the latent noise, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.

    Returns:
        An uncompiled `DiscriminativeVAE`.

    Raises:
        ValueError: if neither a trained classifier nor bundled weights are given, the weights are
            unknown, damaged or of another architecture, a setting contradicts them, or one is out
            of range.

    Example:

    >>> model = kd.applications.DiscriminativeVAE(weights="fashion_mnist")
    >>> images = model.sample(64)

    Reference: Lamb et al., 2016 (Discriminative regularization for generative models).
    """
    fixed = {
        "image_shape": image_shape,
        "latent_dim": latent_dim,
        "networks": networks,
        "pixel_scale": pixel_scale,
    }
    free = {"beta": beta, "encoder_gradient": encoder_gradient}
    release = Release(NAME, weights, tuple(free))
    settings = release.arguments(DEFAULTS, fixed, free)
    if release.is_bundled:
        if feature_loss is not None:
            raise ValueError(
                f"`feature_loss` must be None for the weights {weights!r}, whose file holds a "
                f"classifier. Received: feature_loss={feature_loss}"
            )
        settings["image_shape"] = tuple(settings["image_shape"])
        feature_loss = FeatureMatchingLoss(
            untrained_classifier(settings["image_shape"]),
            FEATURES,
            layer_weights=settings["feature_weights"],
        )
    if feature_loss is None:
        raise ValueError(
            "`feature_loss` must be a `FeatureMatchingLoss` of a trained classifier, unless "
            "`weights` names bundled ones. Received: feature_loss=None"
        )
    build = NETWORKS[check_choice("networks", settings["networks"], sorted(NETWORKS))]
    objective = {name: settings[name] for name in (*free, "pixel_scale")}
    with release.building():
        model = models.DiscriminativeVAE(
            **build(settings["image_shape"], settings["latent_dim"]),
            **objective,
            feature_loss=feature_loss,
            seed=seed,
            name=NAME,
        )
    ramps = {model.ramps["beta"]: beta}
    if not release.is_bundled:
        for name, weight in feature_loss.layer_weights.items():
            ramps[model.ramps[f"feature_weight_{name}"]] = weight
    release.load(model, seed=seed, ramps=ramps)
    return model


def untrained_classifier(image_shape):
    """The paper's classifier, frozen, for weights that come from elsewhere."""
    with no_random_values():
        network = classifier_network(image_shape)
    network.trainable = False
    return network
