"""What the codes of a trained InfoGAN know of generated images, and of real ones as classes."""

import numpy as np
from keras import ops
from scipy.special import entr

import keras_disentangle as kd
from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.latents import Categorical
from keras_disentangle.losses import information_per_code


def categorical_codes(model):
    """The informative categorical codes of a model."""
    return [code for code in model.space.informative if isinstance(code, Categorical)]


def classification(model, images, labels):
    """How well the first categorical code separates the classes of uint8 images.

    Returns:
        Dict of "images", their number; "error" and "assignment" as
        `clustering_accuracy` gives them; "counts", for each category the number of images of each
        label whose likeliest it is; and "real_information", that of image and category by Q's
        probabilities p: the entropy of their mean less their mean entropy, in nats. It needs no
        labels: low where Q is in doubt about images, or groups them unevenly.
    """
    name = categorical_codes(model)[0].name
    probabilities = in_batches(lambda x: model.predict_codes(to_float(x))[name], images)
    probabilities = probabilities.astype("float64")
    categories = probabilities.argmax(axis=-1)
    found = kd.metrics.clustering_accuracy(categories, labels)
    return {
        "images": len(images),
        "error": found["error"],
        "real_information": float(
            entr(probabilities.mean(0)).sum() - entr(probabilities).sum(1).mean()
        ),
        "assignment": {str(k): int(v) for k, v in found["assignment"].items()},
        "counts": {
            str(category): {
                str(label): int(np.sum((categories == category) & (labels == label)))
                for label in np.unique(labels)
            }
            for category in np.unique(categories)
        },
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
