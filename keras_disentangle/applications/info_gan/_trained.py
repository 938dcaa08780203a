"""What `evaluate.py` and `traverse.py` share: a trained model and its data, from options."""

from functools import partial

import numpy as np
from keras import ops
from scipy.special import entr

import keras_disentangle as kd
from keras_disentangle.applications import _runs
from keras_disentangle.applications.info_gan.info_gan import InfoGAN
from keras_disentangle.latents import Categorical
from keras_disentangle.losses import information_per_code

parser = partial(_runs.weights_parser, "info_gan", "InfoGAN", "mnist")


def load(weights):
    """The trained model.

    Raises:
        ValueError: if the weights are unknown or damaged, or the model is no InfoGAN.
    """
    model = _runs.load_model(weights) if weights.endswith(".keras") else InfoGAN(weights=weights)
    if not isinstance(model, kd.models.InfoGAN):
        raise ValueError(f"`weights` must be those of an InfoGAN. Received: {type(model)}")
    return model


def classification(model, images, labels, batch_size=500):
    """How well the first categorical code tells the classes of uint8 images apart.

    Returns:
        What `clustering_accuracy` gives; "categories" (n,), the likeliest of each image; and
        "information", that of image and category by Q's probabilities p: the entropy of their
        mean less their mean entropy, in nats. It needs no labels: low where Q is in doubt about
        images, or groups them unevenly.
    """
    code = next(c.name for c in model.space.informative if isinstance(c, Categorical))
    probabilities = np.concatenate(
        [
            ops.convert_to_numpy(model.predict_codes(np.divide(part, 255, dtype="float32"))[code])
            for part in np.split(images, range(batch_size, len(images), batch_size))
        ]
    ).astype("float64")
    categories = probabilities.argmax(axis=-1)
    return {
        **kd.metrics.clustering_accuracy(categories, labels),
        "categories": categories,
        "information": float(entr(probabilities.mean(0)).sum() - entr(probabilities).sum(1).mean()),
    }


def information(model, num_samples, seed, batch_size=500):
    """L_I of each code in nats, over images generated from `num_samples` new latent vectors."""
    totals = {}
    for i, start in enumerate(range(0, num_samples, batch_size)):
        size = min(batch_size, num_samples - start)
        codes = model.space.sample(size, seed=seed + i)
        bounds = information_per_code(model.space, model.q_params(model.decode(codes)), codes)
        for name, bound in bounds.items():
            totals.setdefault(name, []).append(ops.convert_to_numpy(bound))
    return {name: float(np.concatenate(values).mean()) for name, values in totals.items()}
