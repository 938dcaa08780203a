"""The discriminative VAE, ready-made."""

from pathlib import Path

from keras import ops

from keras_disentangle import models
from keras_disentangle._arguments import is_choice
from keras_disentangle._initial_values import no_random_values
from keras_disentangle.applications._weights import is_path, load_weights, trained_settings
from keras_disentangle.applications.discriminative_vae.networks import (
    NETWORKS,
    classifier_network,
)
from keras_disentangle.losses import FeatureMatchingLoss

FOLDER = Path(__file__).parent
FEATURES = ("norm_2", "norm_4", "norm_6")
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
            `applications.discriminative_vae.classifier`, or any other `FeatureNetwork`. With
            weights that ship it must be left out: their file holds that of the training. Weights of
            a path are loaded into its classifier and log sigma too; its layers' weights hold.
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
    objective = {"beta": beta, "encoder_gradient": encoder_gradient}
    objective = {name: value for name, value in objective.items() if value is not None}
    trained = trained_settings(FOLDER, weights, ("beta", "encoder_gradient"))
    settings = {**DEFAULTS, **trained, **given, **objective}
    if weights is not None and not is_path(weights):
        settings["image_shape"] = tuple(trained["image_shape"])
        for name, value in given.items():
            if (list(value) if name == "image_shape" else value) != trained[name]:
                raise ValueError(
                    f"`{name}` must be {trained[name]} for the weights {weights!r}. "
                    f"Received: {name}={value}"
                )
        if feature_loss is not None:
            raise ValueError(
                f"`feature_loss` must be None for the weights {weights!r}, whose file holds a "
                f"classifier. Received: feature_loss={feature_loss}"
            )
        with no_random_values():
            classifier = classifier_network(settings["image_shape"])
            classifier.trainable = False
            feature_loss = FeatureMatchingLoss(
                classifier, FEATURES, layer_weights=trained["feature_weights"]
            )
    if feature_loss is None:
        raise ValueError(
            "`feature_loss` must be a `FeatureMatchingLoss` of a trained classifier, unless "
            "`weights` names those that ship. Received: feature_loss=None"
        )
    if not is_choice(settings["networks"], NETWORKS):
        raise ValueError(
            f"`networks` must be one of {sorted(NETWORKS)}. "
            f"Received: networks={settings['networks']!r}"
        )
    with no_random_values(weights is not None):
        model = models.DiscriminativeVAE(
            **NETWORKS[settings["networks"]](settings["image_shape"], settings["latent_dim"]),
            feature_loss=feature_loss,
            beta=settings["beta"],
            encoder_gradient=settings["encoder_gradient"],
            pixel_scale=settings["pixel_scale"],
            seed=seed,
            name="discriminative_vae",
        )
    if weights is not None:
        noise = ops.convert_to_numpy(model.sampling.seed_generator.state)
        load_weights(model, FOLDER, weights)
        # The file also holds the state of a training; what was asked for goes before it.
        if beta is not None:
            model.ramps["beta"].set(beta, beta, 0, 0)
        if is_path(weights):
            for name, weight in feature_loss.layer_weights.items():
                model.ramps[f"feature_weight_{name}"].set(weight, weight, 0, 0)
        if seed is not None:
            model.sampling.seed_generator.state.assign(noise)
    return model
