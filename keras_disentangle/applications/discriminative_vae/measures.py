"""How good a VAE's images are, to a classifier that had no part in its training: the evaluator."""

import hashlib
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared import release
from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.applications._shared.files import load_model
from keras_disentangle.applications.discriminative_vae.discriminative_vae import NAME

FEATURES = "features"  # the evaluator's layer in which Fréchet distances are computed
BATCH_SIZE = 500


def bundled_evaluator(data):
    """Where the evaluator of a data set is, if one is bundled."""
    return release.ROOT / NAME / "weights" / f"judge_{Path(data).stem}.keras"


def load_evaluator(path, data, image_shape, required=True):
    """The evaluation classifier: from a file, or the bundled one.

    Args:
        path: its `.keras` file, or `None` for the bundled one.
        data: name of the data set.
        image_shape: (h, w, c) of its images.
        required: whether it is an error if no file is named and none is bundled for such images;
            otherwise the result is then `None`.

    Raises:
        ValueError: if there is none, or the file is missing or damaged, or holds no classifier of
            such images with a layer `features`.
    """
    bundled, shape = bundled_evaluator(data), tuple(image_shape)
    if path is None:
        network = None
        if bundled.is_file():
            network = load_model(release.verified(bundled), "evaluator")
        if network is not None and network.input_shape[1:] == shape:
            return network
        if not required:
            return None
        raise ValueError(
            "`evaluator` must be the .keras file of a classifier (keras-disentangle train "
            f"{NAME} --model evaluator): none is bundled for these data. Received: "
            f"evaluator=None, data={data}, images {shape}"
        )
    network = load_model(path, "evaluator")
    if FEATURES not in [layer.name for layer in network.layers]:
        raise ValueError(
            f"`evaluator` must have a layer {FEATURES!r}, from which Fréchet distances are "
            f"computed. Received: evaluator={path}"
        )
    if network.input_shape[1:] != shape:
        raise ValueError(
            f"`evaluator` must be a classifier of images {shape}. "
            f"Received: evaluator={path}, of images {network.input_shape[1:]}"
        )
    return network


def checksum(network):
    """A short hash of a network's weights."""
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def scores(model, splits, evaluator, settings):
    """What the discriminative terms change, measured independently of the training.

    Args:
        model: the VAE.
        splits: `Splits`.
        evaluator: a classifier, as `load_evaluator` returns it.
        settings: the dataclass `Evaluation`.

    Returns:
        Dict: `nll`, nats a unit for "train", "valid" and "test", with `nll_standard_error` and
        `nll_effective_samples`, of the latents; over all test images, `accuracy` of the evaluator
        on reconstructions and `accuracy_images` on the images; `frechet_samples` and
        `frechet_reconstructions`, Fréchet distances to the images in the evaluator's features, and
        `squared_error` of a pixel.
    """
    images, labels = splits["test"]
    images = to_float(images)
    rng, nll = np.random.default_rng(settings.seed), {}
    for name, (part, _) in splits.items():
        chosen = np.sort(rng.choice(len(part), min(settings.images, len(part)), replace=False))
        options = {"seed": settings.seed, "batch_size": BATCH_SIZE}
        nll[name] = kd.metrics.importance_nll(
            model, to_float(part[chosen]), settings.samples, **options
        )
    rebuilt = in_batches(model.reconstruct, images)
    drawn = samples(model, len(images), settings.seed)
    features = kd.metrics.ImageFeatures(evaluator, [FEATURES], batch_size=BATCH_SIZE)
    real = features(images)
    found = {
        **{
            f"nll{suffix}": {name: result[key] for name, result in nll.items()}
            for suffix, key in (
                ("", "nll"),
                ("_standard_error", "standard_error"),
                ("_effective_samples", "effective_samples"),
            )
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


def samples(model, num_samples, seed):
    """Images from the prior, in [0, 1]."""
    generator = keras.random.SeedGenerator(seed)

    def draw(numbers):
        codes = keras.random.normal((len(numbers), model.latent_dim), seed=generator)
        return model.decode(codes)

    return in_batches(draw, range(num_samples))
