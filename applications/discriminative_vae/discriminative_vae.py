"""The discriminative VAE, ready-made."""

from pathlib import Path

from keras import ops
from keras_disentangle.applications._weights import is_path, load_weights, shipped_settings
from keras_disentangle.applications.discriminative_vae.networks import (
    NETWORKS,
    classifier_network,
)

from keras_disentangle import models
from keras_disentangle.losses import FeatureMatchingLoss

FOLDER = Path(__file__).parent
FEATURES = ("norm_2", "norm_4", "norm_6")
DEFAULTS = {
    "image_shape": (64, 64, 3),
    "latent_dim": 500,
    "networks": "celeba",
    "pixel_scale": "full",
}


def DiscriminativeVAE(
    feature_loss=None,
    weights=None,
    image_shape=None,
    latent_dim=None,
    networks=None,
    pixel_scale=None,
    beta=1.0,
    encoder_gradient=True,
    seed=None,
):
    """A `kd.models.DiscriminativeVAE` with the networks of the paper.

    Args:
        feature_loss: a `FeatureMatchingLoss` of a trained classifier: of `train_classifier` in
            `applications.discriminative_vae.classifier`, or any other `FeatureNetwork`. With
            weights that ship it must be left out: their file holds that of the training. Weights of
            a path are loaded into its classifier and log sigma too.
        weights: `None` (random), a name from `available_weights()["DiscriminativeVAE"]`, which
            brings its settings along, or the path of a `.weights.h5` or `.keras` file.
        image_shape: (height, width, channels); 64×64×3 by default.
        latent_dim: number of latents; 500 by default.
        networks: `"celeba"`, those of the paper, or `"small"`, for 28×28 and 32×32.
        pixel_scale: `"full"` (the default), `"channel"` or `"scalar"`.
        beta: weight of the KL term.
        encoder_gradient: whether the encoder is trained on the discriminative terms too.
        seed: integer seed of the latent noise, or `None`. For the initial weights, use
            `keras.utils.set_random_seed`.

    Returns:
        An uncompiled `DiscriminativeVAE`.

    Raises:
        ValueError: if neither a trained classifier nor weights are given, the weights are unknown,
            damaged or of another architecture, a setting contradicts them, or one is out of range.

    Example:

    >>> model = kd.applications.DiscriminativeVAE(weights="fashion_mnist")
    >>> images = model.sample(64)

    Reference: Lamb et al., 2016 (Discriminative regularization for generative models).
    """
    given = {
        "image_shape": image_shape,
        "latent_dim": latent_dim,
        "networks": networks,
        "pixel_scale": pixel_scale,
    }
    given = {name: value for name, value in given.items() if value is not None}
    settings = {**DEFAULTS, **given}
    if weights is not None and not is_path(weights):
        shipped = shipped_settings(FOLDER, weights)
        shipped["image_shape"] = tuple(shipped["image_shape"])
        for name, value in given.items():
            if (tuple(value) if name == "image_shape" else value) != shipped[name]:
                raise ValueError(
                    f"`{name}` must be {shipped[name]} for the weights {weights!r}. "
                    f"Received: {name}={value}"
                )
        settings = {**DEFAULTS, **shipped}
        if feature_loss is not None:
            raise ValueError(
                f"`feature_loss` must be None for the weights {weights!r}, whose file holds a "
                f"classifier. Received: feature_loss={feature_loss}"
            )
        classifier = classifier_network(settings["image_shape"])
        classifier.trainable = False
        feature_loss = FeatureMatchingLoss(classifier, FEATURES)
    if feature_loss is None:
        raise ValueError(
            "`feature_loss` must be a `FeatureMatchingLoss` of a trained classifier, unless "
            "`weights` names those that ship. Received: feature_loss=None"
        )
    if settings["networks"] not in NETWORKS:
        raise ValueError(
            f"`networks` must be one of {sorted(NETWORKS)}. "
            f"Received: networks={settings['networks']!r}"
        )
    model = models.DiscriminativeVAE(
        **NETWORKS[settings["networks"]](settings["image_shape"], settings["latent_dim"]),
        feature_loss=feature_loss,
        beta=beta,
        encoder_gradient=encoder_gradient,
        pixel_scale=settings["pixel_scale"],
        seed=seed,
        name="discriminative_vae",
    )
    if weights is not None:
        noise = ops.convert_to_numpy(model.sampling.seed_generator.state)
        load_weights(model, FOLDER, weights)
        # The file also holds the state of a training; what was asked for goes before it.
        model.ramps["beta"].set(beta, beta, 0, 0)
        if is_path(weights):
            for name, weight in feature_loss.layer_weights.items():
                model.ramps[f"feature_weight_{name}"].set(weight, weight, 0, 0)
        if seed is not None:
            model.sampling.seed_generator.state.assign(noise)
    return model
