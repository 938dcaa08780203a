"""What this application's commands share: trained models, classifiers and scores."""

import hashlib
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications import _runs, _weights
from keras_disentangle.applications.discriminative_vae.classifier import to_float
from keras_disentangle.applications.discriminative_vae.discriminative_vae import (
    FOLDER,
    DiscriminativeVAE,
)

JUDGE_FEATURES = "features"
BATCH_SIZE = 500

parser = partial(_runs.weights_parser, "discriminative_vae", "DiscriminativeVAE", "fashion_mnist")


def load(weights):
    """The trained model, a `DiscriminativeVAE` or a `VAE`.

    Raises:
        ValueError: if the weights are unknown or damaged, or of another kind of model.
    """
    weights = str(weights)
    is_file = weights.endswith(".keras")
    model = _runs.load_model(weights) if is_file else DiscriminativeVAE(weights=weights)
    if not isinstance(model, kd.models.VAE):
        raise ValueError(f"`weights` must be those of a VAE. Received: {type(model)}")
    return model


def load_judge(path, data, image_shape):
    """The classifier that measures: of a file, or that which ships for a data set.

    Raises:
        ValueError: if there is none, or it is damaged, without the layer `features` or for images
            of another shape.
    """
    if path is None and not shipped_judge(data).is_file():
        raise ValueError(
            f"`judge` must be the .keras file of a classifier (train.py discriminative_vae --model "
            f"judge), for data without one that ships. Received: judge=None, data={data}"
        )
    network = _runs.load_model(path or _weights.verified(shipped_judge(data)), "judge")
    if JUDGE_FEATURES not in [layer.name for layer in network.layers]:
        raise ValueError(
            f"`judge` must have a layer {JUDGE_FEATURES!r}, from which Fréchet distances are "
            f"computed. Received: judge={path}"
        )
    if network.input_shape[1:] != tuple(image_shape):
        raise ValueError(
            f"`judge` must be a classifier of images {tuple(image_shape)}. "
            f"Received: judge={path}, of images {network.input_shape[1:]}"
        )
    return network


def shipped_judge(data):
    """Where the classifier that measures ships, if it does so for this data."""
    return FOLDER / "weights" / f"judge_{Path(data).stem}.keras"


def checksum(network):
    """A short hash of a network's weights."""
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def load_splits(data, data_dir, image_shape):
    """Dict of "train", "valid" and "test" to (images, labels), as `load_images` gives them; the
    labels of CelebA are its attributes.

    The last twelfth of the training part is for validation; data without a part for tests give two
    twelfths for both. What comes class by class, as folders do, is mixed first.

    Raises:
        ValueError: as `load_images`, or if there are fewer than three images.
    """
    options = {"data_dir": data_dir, "image_shape": image_shape, "attributes": data == "celeb_a"}
    images, labels = kd.datasets.load_images(data, "train", **options)
    if labels is not None and labels.ndim == 1 and (np.diff(labels) >= 0).all():
        order = np.random.default_rng(0).permutation(len(images))
        images, labels = images[order], labels[order]
    if len(images) < 3:
        raise ValueError(f"`data` must hold at least 3 images. Received: {data}, {len(images)}")
    held_out = max(1, len(images) // 12)
    try:
        test = kd.datasets.load_images(data, "test", **options)
    except ValueError as error:
        if not str(error).startswith("`split` must be"):
            raise
        test, images, labels = (
            _part(images, labels, slice(-held_out, None)),
            *_part(images, labels, slice(None, -held_out)),
        )
    return {
        "train": _part(images, labels, slice(None, -held_out)),
        "valid": _part(images, labels, slice(-held_out, None)),
        "test": test,
    }


def _part(images, labels, part):
    return images[part], None if labels is None else labels[part]


def scores(model, splits, judge, seed=0, num_images=5000, num_samples=100):
    """What the discriminative terms change, as measured by a classifier that had no part in it.

    Args:
        model: the VAE.
        splits: what `load_splits` gives.
        judge: what `load_judge` gives.
        seed: of the latents.
        num_images: of each split, for the likelihood.
        num_samples: latents of each image, for the likelihood.

    Returns:
        Dict: `nll`, nats a unit for "train", "valid" and "test", with `nll_standard_error` and
        `nll_effective_samples`, of `num_samples`; over all test images, `accuracy`
        of the judge on reconstructions and `accuracy_images` on the images; `frechet_samples` and
        `frechet_reconstructions`, Fréchet distances to the images in the judge's features, and
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
    features = kd.metrics.ImageFeatures(judge, [JUDGE_FEATURES], batch_size=BATCH_SIZE)
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
        found["accuracy_images"] = accuracy(judge, images, labels)
        found["accuracy"] = accuracy(judge, rebuilt, labels)
    return found


def use_statistics_of_reconstructions(model, images, num_batches=100, batch_size=100, seed=0):
    """Sets the statistics of the decoder's batch normalisations to those of reconstructions.

    `reestimate_batch_normalization` sets them to those of samples, as the authors' release does
    before it trains the encoder on; what is measured in between depends on that half step. Each
    becomes the mean over batches of the images, at codes drawn from their posteriors.

    Args:
        images: uint8 images of the training.
        num_batches, batch_size: how many images, at random, in all and at once.
        seed: of the images and the codes.
    """
    rng = np.random.default_rng(seed)

    def codes():
        for _ in range(num_batches):
            chosen = to_float(images[np.sort(rng.choice(len(images), batch_size, replace=False))])
            mean, log_var = (ops.convert_to_numpy(part) for part in model.encode(chosen))
            yield mean + np.exp(0.5 * log_var) * rng.standard_normal(mean.shape)

    model.average_statistics(codes())


def accuracy(judge, images, labels):
    """Share of images in [0, 1] that a classifier puts into the right class."""
    logits = judge.predict(images, batch_size=BATCH_SIZE, verbose=0)
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


def table(results):
    """Scores of several models, a line for each.

    Args:
        results: dict from a label to what `scores` gives.
    """
    width = max(len("model"), *map(len, results))
    lines = [
        f"{'model':{width}}  NLL per unit: train    valid     test  effective samples  accuracy  "
        "Fréchet: samples  reconstructions  squared error"
    ]
    for label, found in results.items():
        nll = "".join(f"{found['nll'][name]:9.4f}" for name in ("train", "valid", "test"))
        share = f"{100 * found['accuracy']:8.2f}%" if "accuracy" in found else f"{'-':>9}"
        lines.append(
            f"{label:{width}}  {nll:>34}  {_effective(found):>17} {share}  "
            f"{found['frechet_samples']:16.3f}  {found['frechet_reconstructions']:15.3f}  "
            f"{found['squared_error']:13.5f}"
        )
    return "\n".join(lines)


def _effective(found):
    """Effective samples of the test images; scores of earlier versions lack them."""
    effective = found.get("nll_effective_samples")
    return "-" if effective is None else f"{effective['test']:.1f}"
