"""One call that measures how disentangled a model's codes are."""

import functools
import inspect

import keras
import numpy as np
from scipy.stats import binomtest

from keras_disentangle import metrics as measures
from keras_disentangle._arguments import check_callable, check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._votes import check_grid

# What they take: codes and factors, posteriors, or a function that encodes and a full grid.
_OF_CODES = ("mig", "mig_sup", "dci", "sap", "modularity", "explicitness", "irs", "unsupervised")
_OF_POSTERIORS = ("information", "posterior_mig")
_OF_GRIDS = ("factor_vae", "beta_vae")
METRICS = (*_OF_CODES, *_OF_POSTERIORS, *_OF_GRIDS)
_BY_DEFAULT = ("mig", "mig_sup", "factor_vae", "information")
_LATENTS = 10_000  # drawn at most for estimates of information


def evaluate(
    model,
    dataset,
    metrics=None,
    *,
    num_samples=10_000,
    num_votes=1000,
    num_resamples=0,
    options=None,
    seed=0,
    batch_size=500,
    verbose=0,
):
    """Scores a model's codes against the ground-truth factors of a data set.

    Args:
        model: anything with `encode(x)`, else a function, of float32 images in [0, 1] (n, h, w, c)
            to `(mean, log_var)`, each (n, d), or to codes (n, d); what comes after the two, such
            as a sample, is ignored. With `rung_sizes` the information is given for each rung.
        dataset: a `FactorDataset`, or `LabelledImages` for what needs no full grid of factors.
        metrics: names out of `"mig"`, `"mig_sup"`, `"dci"`, `"sap"`, `"modularity"`,
            `"explicitness"`, `"irs"`, `"unsupervised"`, of the codes (posterior means);
            `"information"`, `"posterior_mig"`, of the posteriors; `"factor_vae"`, `"beta_vae"`,
            which draw images of their own; or `"all"`. By default MIG, MIG-sup, FactorVAE and the
            information. `"all"` and the default leave out what the data or the model cannot have.
        num_samples: images for all but the last two, drawn without replacement (of
            `WeightedFactors` with). The information cannot exceed log(num_samples).
        num_votes: training votes of FactorVAE and points of beta-VAE; half as many are used to
            score. The published scores use 10,000; each takes 64 images or pairs.
        num_resamples: if not 0, >= 2: 95% confidence intervals by so many resamples, as
            `kd.metrics.confidence_interval`, of the metrics of codes, and Wilson's of the last two.
        options: dict from a metric's name to its own arguments, such as `{"dci": {"estimator":
            "exact"}, "posterior_mig": {"factors_used": [1, 2, 3, 4]}}`.
        seed: seed of the images and of the metrics' own draws.
        batch_size: images encoded at once.
        verbose: 1 shows a progress bar of the samples that are encoded, then the metrics' names.

    Returns:
        Dict of floats, in the order of `metrics`: each under its name, those of dicts as
        `"dci_disentanglement"`, `"total_correlation"` (`unsupervised`), `"posterior_mig_sup"` and
        the like. `information` is a list, I(x; z_l) in nats, the most abstract rung first, with
        `information_total`, I(x; z), and `kl`, a list in nats. `intervals`, if asked for, is a dict
        of pairs [low, high].

    Raises:
        ValueError: if a metric is unknown, or is asked for by name and the data or the model cannot
            have it; the images do not fit the model; a number is out of range; or as a metric.
        TypeError: if a metric does not know one of its `options`.

    Example:

    >>> scores = kd.evaluate(model, data)
    >>> scores["mig"], scores["information_total"]
    """
    encode = _encoder(model)
    names = check_settings(dataset, metrics, num_samples, num_votes, num_resamples, options, seed)
    options = options or {}
    index = np.asarray(dataset.sample_index(num_samples, np.random.default_rng(seed)))
    mean, log_var = encode_images(
        model, lambda i: dataset.images(index[i]), len(index), batch_size, verbose=verbose
    )
    if log_var is None:
        if metrics not in (None, "all") and set(names) & set(_OF_POSTERIORS):
            raise ValueError(
                "`model` must give the log variance of its posteriors for "
                f"{sorted(set(names) & set(_OF_POSTERIORS))}. Received: codes alone"
            )
        names = [name for name in names if name not in _OF_POSTERIORS]
    factors = dataset.factors(index)
    scores, intervals = {}, {}
    for name in names:
        if verbose:
            print(f"{name} ...", flush=True)
        own = options.get(name, {})
        if name == "information":
            rungs = getattr(model, "rung_sizes", None)
            scores.update(_information(mean, log_var, rungs, seed, **own))
        elif name == "posterior_mig":
            latents = {"num_samples": min(len(mean), _LATENTS), "seed": seed} | own
            found = measures.posterior_mig(mean, log_var, factors, **latents)
            scores["posterior_mig"] = found["mig"]
            scores["posterior_mig_sup"] = found["mig_sup"]
        elif name in _OF_GRIDS:
            votes = {"num_train": num_votes, "num_eval": max(1, num_votes // 2), "seed": seed}
            if name == "factor_vae":
                votes["num_variance"] = max(2, len(mean))
            votes |= {"encode_batch": batch_size} | own
            scores[name] = getattr(measures, name)(lambda x: encode(x)[0], dataset, **votes)
            intervals[name] = _wilson(scores[name], votes["num_eval"])
        else:
            arrays = (mean,) if name == "unsupervised" else (mean, factors)
            found, ends = _of_codes(name, arrays, num_resamples, seed, own)
            scores.update(found)
            intervals.update(ends)
    if num_resamples:
        scores["intervals"] = intervals
    return scores


def check_settings(
    dataset, metrics=None, num_samples=1, num_votes=1, num_resamples=0, options=None, seed=0, **_
):
    """The names of the metrics that `evaluate` would take of these settings, its arguments.

    Raises:
        ValueError: as `evaluate`, of all that can be known without the model.
    """
    num_samples = check_int("num_samples", num_samples)
    num_votes = check_int("num_votes", num_votes)
    check_seed("seed", seed, optional=False)
    if num_resamples != 0:
        num_resamples = check_int("num_resamples", num_resamples, minimum=2)
    missing = [name for name in ("sample_index", "factors") if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must be a `FactorDataset` or `LabelledImages`. "
            f"Received: {type(dataset).__name__}, without {missing}"
        )
    names = _check_metrics(metrics, dataset)
    if not isinstance(options or {}, dict) or not all(
        name in METRICS and isinstance(own, dict) for name, own in (options or {}).items()
    ):
        raise ValueError(
            f"`options` must be a dict with names out of {METRICS} and dicts of arguments. "
            f"Received: options={options!r}"
        )
    return names


def encode_images(model, images, num_images, batch_size=500, *, verbose=0):
    """Mean and log variance (n, d), float64 arrays, of images that are encoded batch by batch.

    Args:
        model: as in `evaluate`.
        images: function from an array of indices in [0, num_images) to uint8 images.
        num_images: how many there are.
        batch_size: images encoded at once.
        verbose: 1 shows a progress bar.

    Returns:
        `(mean, log_var)`; `(codes, None)` of a model that gives codes alone.

    Raises:
        ValueError: if `batch_size` is not a positive integer, or the images do not fit the model.
    """
    encode = _encoder(model)
    check_callable("images", images)
    num_images = check_int("num_images", num_images)
    batch_size = check_int("batch_size", batch_size)
    if not isinstance(verbose, bool):
        verbose = check_int("verbose", verbose, minimum=0)
    parts = []
    progress = keras.utils.Progbar(num_images, unit_name="image") if verbose else None
    for start in range(0, num_images, batch_size):
        batch = images(np.arange(start, min(start + batch_size, num_images)))
        parts.append(encode(np.divide(batch, 255, dtype="float32")))
        if progress is not None:
            progress.update(min(start + batch_size, num_images))
    mean, log_var = zip(*parts, strict=True)
    return _joined(mean), None if log_var[0] is None else _joined(log_var)


def _joined(parts):
    return np.concatenate(parts).astype("float64")


def _encoder(model):
    """Function of float32 images to NumPy arrays (mean, log_var), the latter perhaps None."""
    if hasattr(model, "encode"):
        encode = model.encode
    elif isinstance(model, keras.Model):
        encode = functools.partial(model, training=False)
    elif callable(model):
        encode = model
    else:
        raise ValueError(
            f"`model` must have a method `encode`, or be a function. Received: model={model}"
        )

    def encoded(images):
        posterior = encode(images)
        parts = posterior if isinstance(posterior, (tuple, list)) else (posterior,)
        if isinstance(posterior, dict) or not parts:
            raise ValueError(
                "`model` must encode images as codes (n, d), or as (mean, log_var), each (n, d). "
                f"Received: {type(posterior).__name__} of {list(posterior)}"
            )
        arrays = [to_numpy("model.encode(images)", part) for part in parts[:2]]
        shapes = [array.shape for array in arrays]
        if any(len(shape) != 2 or shape[0] != len(images) for shape in shapes):
            raise ValueError(
                f"`model` must encode {len(images)} images as arrays ({len(images)}, d). "
                f"Received: shape {' and '.join(map(str, shapes))}"
            )
        return arrays[0], arrays[1] if len(arrays) == 2 else None

    return encoded


def _check_metrics(metrics, dataset):
    has_grid = hasattr(dataset, "factor_sizes")
    if metrics is None or isinstance(metrics, str) and metrics == "all":
        names = METRICS if metrics == "all" else _BY_DEFAULT
        return [name for name in names if has_grid or name not in _OF_GRIDS]
    names = metrics if isinstance(metrics, (list, tuple, set)) else [metrics]
    names = list(names)
    if not names or not all(isinstance(name, str) and name in METRICS for name in names):
        raise ValueError(
            f'`metrics` must be "all" or names out of {METRICS}. Received: {metrics!r}'
        )
    if set(names) & set(_OF_GRIDS):
        check_grid(dataset)
    return names


def _of_codes(name, arrays, num_resamples, seed, own):
    """The scores of a metric of codes, and their intervals if there are to be resamples."""
    metric = getattr(measures, "unsupervised_scores" if name == "unsupervised" else name)
    seeded = {"seed": seed} if "seed" in inspect.signature(metric).parameters else {}
    scores = _named(name, metric(*arrays, **seeded, **own))
    if not num_resamples:
        return scores, {}
    resampled = {"num_resamples": num_resamples, "seed": seed}
    resampled["bounds"] = (0, np.inf) if name == "unsupervised" else (0, 1)
    found = measures.confidence_interval(metric, *arrays, **resampled, **own)
    return scores, {key: list(ends) for key, ends in _named(name, found).items()}


def _wilson(share, num):
    """Wilson's 95% interval of a share of `num` votes."""
    return list(map(float, binomtest(round(share * num), num).proportion_ci(method="wilson")))


def _named(name, values):
    """Scores under the names of the result."""
    if not isinstance(values, dict):
        return {name: values}
    prefix = "" if name == "unsupervised" else f"{name}_"
    return {f"{prefix}{key}": value for key, value in values.items()}


def _information(mean, log_var, rungs, seed, **own):
    latents = {"num_samples": min(len(mean), _LATENTS), "seed": seed, "rungs": rungs} | own
    information = measures.latent_information(mean, log_var, **latents)
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=0)
    ends = np.cumsum(latents["rungs"] or [mean.shape[1]])[:-1]
    return {
        "information": information["rungs"],
        "information_total": information["total"],
        "kl": [float(part.sum()) for part in np.split(kl, ends)],
    }
