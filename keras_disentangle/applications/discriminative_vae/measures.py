"""How good a VAE's images are, to a classifier that had no part in its training: the evaluator."""

import hashlib
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared import release
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications.discriminative_vae.classifier import to_float
from keras_disentangle.applications.discriminative_vae.discriminative_vae import NAME

FEATURES = "features"  # the evaluator's layer in which Fréchet distances are computed
BATCH_SIZE = 500


def bundled_evaluator(data):
    """Where the evaluator of a data set is, if one is bundled."""
    return release.ROOT / NAME / "weights" / f"judge_{Path(data).stem}.keras"


def find_evaluator(path, data, image_shape):
    """The evaluation classifier: from a file, or the bundled one.

    Args:
        path: its `.keras` file, or `None` for the bundled one.
        data: name of the data set.
        image_shape: (h, w, c) of its images.

    Returns:
        The network, or `None` if no file is named and none is bundled for such images.

    Raises:
        ValueError: if the file is missing or damaged, or holds no classifier of such images with a
            layer `features`.
    """
    if path is None:
        bundled = bundled_evaluator(data)
        if not bundled.is_file():
            return None
        network = load_model(release.verified(bundled), "evaluator")
        return network if network.input_shape[1:] == tuple(image_shape) else None
    network = load_model(path, "evaluator")
    if FEATURES not in [layer.name for layer in network.layers]:
        raise ValueError(
            f"`evaluator` must have a layer {FEATURES!r}, from which Fréchet distances are "
            f"computed. Received: evaluator={path}"
        )
    if network.input_shape[1:] != tuple(image_shape):
        raise ValueError(
            f"`evaluator` must be a classifier of images {tuple(image_shape)}. "
            f"Received: evaluator={path}, of images {network.input_shape[1:]}"
        )
    return network


def load_evaluator(path, data, image_shape):
    """As `find_evaluator`, but a ValueError if there is none."""
    network = find_evaluator(path, data, image_shape)
    if network is None:
        raise ValueError(
            "`evaluator` must be the .keras file of a classifier (keras-disentangle train "
            f"{NAME} --model evaluator): none is bundled for these data. Received: "
            f"evaluator=None, data={data}, images {tuple(image_shape)}"
        )
    return network


def checksum(network):
    """A short hash of a network's weights."""
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def scores(model, splits, evaluator, seed=0, num_images=5000, num_samples=100):
    """What the discriminative terms change, measured independently of the training.

    Args:
        model: the VAE.
        splits: `Splits`.
        evaluator: a classifier, as `load_evaluator` returns it.
        seed: of the latents.
        num_images: of each part, for the likelihood.
        num_samples: latents of each image, for the likelihood.

    Returns:
        Dict: `nll`, nats a unit for "train", "valid" and "test", with `nll_standard_error` and
        `nll_effective_samples`, of `num_samples`; over all test images, `accuracy` of the evaluator
        on reconstructions and `accuracy_images` on the images; `frechet_samples` and
        `frechet_reconstructions`, Fréchet distances to the images in the evaluator's features, and
        `squared_error` of a pixel.
    """
    images, labels = splits["test"]
    images = to_float(images)
    rng = np.random.default_rng(seed)
    nll = {}
    for name, (part, _) in splits.items():
        chosen = np.sort(rng.choice(len(part), min(num_images, len(part)), replace=False))
        nll[name] = kd.metrics.importance_nll(
            model, to_float(part[chosen]), num_samples, seed=seed, batch_size=BATCH_SIZE
        )
    rebuilt = reconstructions(model, images)
    drawn = samples(model, len(images), seed)
    features = kd.metrics.ImageFeatures(evaluator, [FEATURES], batch_size=BATCH_SIZE)
    real = features(images)
    found = {
        "nll": {name: result["nll"] for name, result in nll.items()},
        "nll_standard_error": {name: result["standard_error"] for name, result in nll.items()},
        "nll_effective_samples": {
            name: result["effective_samples"] for name, result in nll.items()
        },
        "squared_error": float(np.square(images - rebuilt).mean()),
        "frechet_samples": kd.metrics.frechet_distance(real, features(drawn)),
        "frechet_reconstructions": kd.metrics.frechet_distance(real, features(rebuilt)),
    }
    if labels is not None and labels.ndim == 1:
        found["accuracy_images"] = accuracy(evaluator, images, labels)
        found["accuracy"] = accuracy(evaluator, rebuilt, labels)
    return found


def use_statistics_of_reconstructions(model, images, num_batches=100, batch_size=100, seed=0):
    """Sets the statistics of the decoder's batch normalisations to those of reconstructions.

    `reestimate_batch_normalization` sets them to those of samples, as the authors' release does
    before it trains the encoder further; likelihoods that are measured in between depend on it.
    Each becomes the mean over batches of the images, at codes drawn from their posteriors.

    Args:
        images: uint8 training images.
        num_batches, batch_size: how many images are drawn, in all and together.
        seed: of the images and the codes.
    """
    rng, batch_size = np.random.default_rng(seed), min(batch_size, len(images))

    def codes():
        for _ in range(num_batches):
            chosen = to_float(images[np.sort(rng.choice(len(images), batch_size, replace=False))])
            mean, log_var = (ops.convert_to_numpy(part) for part in model.encode(chosen))
            yield mean + np.exp(0.5 * log_var) * rng.standard_normal(mean.shape)

    model.average_statistics(codes())


def accuracy(classifier, images, labels):
    """Share of images in [0, 1] whose class a classifier predicts."""
    logits = classifier.predict(images, batch_size=BATCH_SIZE, verbose=0)
    return float(np.mean(logits.argmax(axis=1) == labels))


def reconstructions(model, images):
    """Those of images in [0, 1], from the posteriors' means."""
    starts = range(0, len(images), BATCH_SIZE)
    return np.concatenate(
        [ops.convert_to_numpy(model.reconstruct(images[i : i + BATCH_SIZE])) for i in starts]
    )


def samples(model, num_samples, seed):
    """Images from the prior, in [0, 1]."""
    generator = keras.random.SeedGenerator(seed)
    starts = range(0, num_samples, BATCH_SIZE)
    codes = [
        keras.random.normal((min(BATCH_SIZE, num_samples - i), model.latent_dim), seed=generator)
        for i in starts
    ]
    return np.concatenate([ops.convert_to_numpy(model.decode(z)) for z in codes])
