"""One call that measures how disentangled a model's codes are."""

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle.metrics import factor_vae, latent_information, mig, mig_sup


def evaluate(model, dataset, *, num_samples=10_000, num_votes=1000, seed=0, batch_size=500):
    """Scores a model's codes against the ground-truth factors of a data set.

    Args:
        model: anything with `encode(x) -> (mean, log_var)`, each (n, d); with `rung_sizes` the
            information is also given for each rung.
        dataset: a `FactorDataset`.
        num_samples: images, drawn without replacement, for MIG, MIG-sup and the information.
            The information cannot exceed log(num_samples).
        num_votes: training votes of FactorVAE; half as many are used to score. The published
            score uses 10,000; each vote takes 64 images.
        seed: seed of the images and of the metrics' own draws.
        batch_size: images encoded at once.

    Returns:
        Dict with `mig`, `mig_sup`, `factor_vae` (floats; of the posterior means, 20 bins),
        `information` (I(x; z_l) in nats, a list, the most abstract rung first),
        `information_total` (I(x; z)) and `kl` (nats, for each rung).

    Raises:
        ValueError: if `model` has no `encode`, the images do not fit it, or a number is not
            positive.

    Example:

    >>> kd.evaluate(model, kd.datasets.DSprites(image_size=32))["mig"]
    """
    if not hasattr(model, "encode"):
        raise ValueError(f"`model` must have a method `encode`. Received: model={model}")
    check_int("num_samples", num_samples)
    check_int("num_votes", num_votes)
    rng = np.random.default_rng(seed)
    size = min(num_samples, len(dataset))
    index = rng.choice(len(dataset), size, replace=False)
    mean, log_var = encode_images(model, lambda i: dataset.images(index[i]), size, batch_size)
    factors = dataset.factors(index)
    rungs = getattr(model, "rung_sizes", None)
    information = latent_information(mean, log_var, rungs=rungs, num_samples=size, seed=seed)

    def encode_means(images):
        return ops.convert_to_numpy(model.encode(images)[0])

    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=0)
    ends = np.cumsum(rungs if rungs is not None else [mean.shape[1]])[:-1]
    return {
        "mig": mig(mean, factors),
        "mig_sup": mig_sup(mean, factors),
        "factor_vae": factor_vae(
            encode_means,
            dataset,
            num_train=num_votes,
            num_eval=max(1, num_votes // 2),
            num_variance=size,
            seed=seed,
            encode_batch=batch_size,
        ),
        "information": information["rungs"],
        "information_total": information["total"],
        "kl": [float(part.sum()) for part in np.split(kl, ends)],
    }


def encode_images(model, images, num_images, batch_size=500):
    """Mean and log variance (n, d), float64 arrays, of images that are encoded batch by batch.

    Args:
        model: anything with `encode(x) -> (mean, log_var)`.
        images: function from an array of indices in [0, num_images) to uint8 images.
        num_images: how many there are.
        batch_size: images encoded at once.

    Raises:
        ValueError: if `batch_size` is not a positive integer, or the images do not fit the model.
    """
    check_int("batch_size", batch_size)
    parts = []
    for start in range(0, num_images, batch_size):
        batch = images(np.arange(start, min(start + batch_size, num_images)))
        posterior = model.encode(np.divide(batch, 255, dtype="float32"))
        parts.append([ops.convert_to_numpy(part) for part in posterior])
    return tuple(np.concatenate(part).astype("float64") for part in zip(*parts, strict=True))
