"""`evaluate`: scores a model's codes with any of the metrics in one call."""

import functools
import statistics

import keras
import numpy as np

from keras_disentangle._arguments import check_callable, check_int, check_seed, check_verbose
from keras_disentangle._progress import progress, shown
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics import METRICS, Metric, confidence_interval, udr
from keras_disentangle.metrics._mixture import kl_of_dimensions
from keras_disentangle.metrics._models import check_list
from keras_disentangle.metrics._votes import check_grid

# The inputs of metrics that can be computed here: see `kd.metrics.Metric`.
_GIVEN = ("codes", "factors", "mean", "log_var", "encode", "dataset")
_BY_DEFAULT = ("mig", "mig_sup", "factor_vae", "information")
_LATENTS = 10_000  # the most that are drawn for estimates of information


def metric_names():
    """The names of the metrics that `evaluate` takes: metrics of codes first, of votes last."""
    found = [metric for metric in METRICS.values() if set(metric.of) <= set(_GIVEN)]
    found.sort(key=lambda metric: _GIVEN.index(metric.of[0]))
    return [metric.name for metric in found]


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
    verbose="auto",
    labels=None,
):
    """Scores a model's codes against the ground-truth factors of a data set.

    Args:
        model: an object with `encode(x)`, or a function, from float32 images in [0, 1]
            (n, h, w, c) to `(mean, log_var)`, each (n, d), or to codes (n, d); further outputs,
            such as a sample, are ignored. If it has `rung_sizes`, the information is computed for
            each rung; if it has `discrete_codes` and that is True, its codes take few values.
        dataset: a `FactorDataset`, or `LabelledImages` for metrics that need no full grid of
            factors.
        metrics: list of names in `kd.metrics.METRICS`, of metrics whose inputs are codes (posterior
            means) and factors, posteriors, or a function that encodes images of the data set; and
            of your own `kd.metrics.Metric`; or `"all"` for all such names. By default MIG, MIG-sup,
            FactorVAE and the information. `"all"` and the default leave out metrics for which the
            data, the model or the labels are not suited.
        num_samples: number of images encoded for all metrics but FactorVAE and beta-VAE, which draw
            their own; drawn without replacement (from `WeightedFactors` with). The information
            cannot exceed log(num_samples).
        num_votes: training votes of FactorVAE and training points of beta-VAE; half as many are
            used for scoring. The published scores use 10,000; each takes 64 images or pairs.
        num_resamples: if not 0, >= 2: number of resamples for 95% confidence intervals of the
            metrics of codes, by `kd.metrics.confidence_interval`; votes have Wilson's intervals.
        options: dict from a metric's name to its own arguments, such as `{"dci": {"estimator":
            "exact"}, "posterior_mig": {"factors_used": [1, 2, 3, 4]}}`.
        seed: seed of the images and of the metrics' own draws.
        batch_size: images encoded at once.
        verbose: 0 shows no bars; "auto", the default, and 1 show one, with the time left, for what
            takes longer than five seconds.
        labels: of a conditional model whose encoder takes labels: one label, with which all images
            are encoded, or a function from factors (n, k) to the labels of their images. Metrics
            that draw images of their own, such as FactorVAE, need a single one.

    Returns:
        Dict of floats, in the order of `metrics`, by the names of the scores, such as "mig" and
        "dci_disentanglement". `information` is a list, I(x; z_l) in nats, the most abstract rung
        first, with `information_total`, I(x; z), and `kl`, a list in nats. `intervals`, if
        requested, is a dict of pairs [low, high].

    Raises:
        ValueError: if a metric is unknown, or is requested by name although the data or the model
            are not suited; two have the same name; the images do not fit the model; a number is
            out of range; or as raised by a metric.
        TypeError: if a metric does not have one of its `options`.

    Example:

    >>> scores = kd.evaluate(model, data)
    >>> scores["mig"], scores["information_total"]
    """
    chosen = check_settings(
        dataset, metrics, num_samples, num_votes, num_resamples, options, seed, labels=labels
    )
    encoder = model if labels is None or callable(labels) else _of_one_label(model, labels)
    encode = _encoder(encoder)
    index = np.asarray(dataset.sample_index(num_samples, np.random.default_rng(seed)))
    factors = dataset.factors(index)
    mean, log_var = encode_images(
        encoder,
        lambda i: dataset.images(index[i]),
        len(index),
        batch_size,
        verbose=verbose,
        labels=labels(factors) if callable(labels) else None,
    )
    given = {
        "codes": mean,
        "factors": factors,
        "mean": mean,
        "log_var": log_var,
        "encode": lambda images: encode(images)[0],
        "dataset": dataset,
    }
    filled_in = {
        "seed": seed,
        "rungs": getattr(model, "rung_sizes", None),
        "num_samples": min(len(mean), _LATENTS),
        "num_train": num_votes,
        "num_eval": max(1, num_votes // 2),
        "num_variance": max(2, len(mean)),
        "encode_batch": batch_size,
        "discrete_codes": getattr(model, "discrete_codes", False),
    }
    if log_var is None:
        of_posteriors = [metric for metric in chosen if "log_var" in metric.of]
        if of_posteriors and not _is_default(metrics):
            raise ValueError(
                "`model` must give the log variance of its posteriors for "
                f"{[metric.name for metric in of_posteriors]}. Received: codes alone"
            )
        chosen = [metric for metric in chosen if metric not in of_posteriors]
    with shown(verbose):
        scores, intervals = _computed(chosen, given, filled_in, options or {}, num_resamples)
    if num_resamples:
        scores["intervals"] = intervals
    return scores


def _computed(chosen, given, filled_in, options, num_resamples):
    """The scores of the metrics, and the intervals of those for which there are resamples."""
    scores, intervals = {}, {}
    for metric in progress(chosen, "metrics"):
        arguments = [given[name] for name in metric.of]
        settings = {name: value for name, value in filled_in.items() if name in metric.options}
        settings |= options.get(metric.name, {})
        found = metric(*arguments, **settings)
        scores |= found
        if num_resamples and metric.interval == "resamples":
            settings = {"seed": filled_in["seed"]} | settings
            ends = confidence_interval(metric, *arguments, num_resamples=num_resamples, **settings)
            intervals |= {name: list(pair) for name, pair in ends.items()}
        elif num_resamples and metric.interval == "votes":
            num = settings["num_eval"]
            intervals |= {name: _wilson(share, num) for name, share in found.items()}
    return scores, intervals


def check_settings(
    dataset,
    metrics=None,
    num_samples=1,
    num_votes=1,
    num_resamples=0,
    options=None,
    seed=0,
    labels=None,
    **_,
):
    """The metrics (a list of `Metric`) that `evaluate` would compute with these arguments.

    Raises:
        ValueError: as `evaluate`, for everything that can be checked without the model.
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
    chosen = _check_metrics(metrics, dataset)
    own_images = [metric for metric in chosen if "encode" in metric.of and callable(labels)]
    if own_images and not _is_default(metrics):
        raise ValueError(
            "`labels` must be one label for all images for metrics that draw images of their own, "
            f"{[metric.name for metric in own_images]}. Received: labels={labels!r}"
        )
    chosen = [metric for metric in chosen if metric not in own_images]
    known = {*metric_names(), *(metric.name for metric in chosen)}
    if not isinstance(options or {}, dict) or not all(
        name in known and isinstance(own, dict) for name, own in (options or {}).items()
    ):
        raise ValueError(
            f"`options` must be a dict with names out of {sorted(known)} and dicts of arguments. "
            f"Received: options={options!r}"
        )
    return chosen


def encode_images(model, images, num_images, batch_size=500, *, verbose="auto", labels=None):
    """Mean and log variance (n, d), float64 arrays, of images encoded batch by batch.

    Args:
        model: as in `evaluate`.
        images: function from an array of indices in [0, num_images) to uint8 images.
        num_images: number of images.
        batch_size: images encoded at once.
        verbose: as in `evaluate`.
        labels: of a conditional model whose encoder takes labels, those of the images,
            (num_images,) or (num_images, k); `model` then has `encode(x, labels)`.

    Returns:
        `(mean, log_var)`; `(codes, None)` for a model that returns codes alone.

    Raises:
        ValueError: if `batch_size` is not a positive integer, the images do not fit the model, or
            the labels are not as many.
    """
    encode = _encoder(model)
    check_callable("images", images)
    num_images = check_int("num_images", num_images)
    batch_size = check_int("batch_size", batch_size)
    verbose = check_verbose("verbose", verbose)
    parts = []
    if labels is not None:
        labels = to_numpy("labels", labels)
        if labels.shape[:1] != (num_images,):
            raise ValueError(
                f"`labels` must hold a label for each of the {num_images} images. "
                f"Received: labels.shape={labels.shape}"
            )
    with shown(verbose):
        for start in progress(range(0, num_images, batch_size), "batches of images"):
            index = np.arange(start, min(start + batch_size, num_images))
            given = () if labels is None else (labels[index],)
            parts.append(encode(np.divide(images(index), 255, dtype="float32"), *given))
    mean, log_var = zip(*parts, strict=True)
    return _joined(mean), None if log_var[0] is None else _joined(log_var)


def rank_models(
    models, images, num_images, groups=None, *, method="lasso", batch_size=500, verbose="auto"
):
    """Ranks trained models without looking at factors, by UDR (`kd.metrics.udr`).

    All models encode the same images. A dimension counts if its average KL divergence from the
    standard normal prior is above 0.01 nats, or, in a model that gives codes alone, if it varies.

    Args:
        models: two or more models, each as in `evaluate`: a list, or a generator, which need not
            hold all of them in memory at once.
        images, num_images: as in `encode_images`; 1000 images or more.
        groups: `None`, or a list with the setting of each model, any label, of which there must be
            at least two models each. Models are then compared with those of their own setting,
            which differ by their seeds, and settings by the median UDR of their models.
        method: "lasso" or "spearman", as in `kd.metrics.udr`.
        batch_size: images encoded at once.
        verbose: as in `evaluate`.

    Returns:
        Dict with `"udr"`, an array (n,); `"order"`, the models' indices, the best first; `"kl"`, a
        list of arrays (d_i,) in nats, `None` for a model that gives codes alone; and, if there are
        `groups`, `"groups"`, a dict from each setting to its median UDR, the best first.

    Raises:
        ValueError: as `encode_images` and `kd.metrics.udr`.

    Example:

    >>> found = kd.rank_models([model, model], data.images, len(data))
    >>> best = found["order"][0]
    """
    labels = None if groups is None else check_list("groups", groups)
    try:
        models = iter(models)
    except TypeError:
        check_list("models", models)
    codes, kls = [], []
    for model in models:
        mean, log_var = encode_images(model, images, num_images, batch_size, verbose=verbose)
        codes.append(mean)
        kls.append(None if log_var is None else kl_of_dimensions(mean, log_var))
    check_list("models", codes)
    scores = udr(codes, kls, method, groups=labels)
    found = {"udr": scores, "order": np.argsort(-scores, kind="stable").tolist(), "kl": kls}
    if labels is not None:
        of_label = {label: [] for label in labels}
        for label, score in zip(labels, scores, strict=True):
            of_label[label].append(score)
        medians = {label: float(np.median(each)) for label, each in of_label.items()}
        found["groups"] = dict(sorted(medians.items(), key=lambda item: -item[1]))
    return found


def _of_one_label(model, labels):
    """The `encode` of a conditional model with one label for all images."""
    if not hasattr(model, "encode"):
        raise ValueError(
            "`labels` must be None for a `model` that has no method `encode`. "
            f"Received: labels={labels!r}, model={model!r}"
        )
    return functools.partial(model.encode, labels=labels)


def _joined(parts):
    return np.concatenate(parts).astype("float64")


def _encoder(model):
    """Function from float32 images to NumPy arrays (mean, log_var), the latter possibly `None`."""
    if hasattr(model, "encode") and not isinstance(model, str):
        encode = model.encode
    elif isinstance(model, keras.Model) and not hasattr(model, "decode"):
        encode = functools.partial(model, training=False)
    elif callable(model) and not isinstance(model, keras.Model):
        encode = model
    else:
        raise ValueError(
            "`model` must have a method `encode`, or be a function of images (for a GAN, one "
            f"that infers codes from its images). Received: model={model!r}"
        )

    def encoded(images, *labels):
        posterior = encode(images, *labels)
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


def _is_default(metrics):
    return metrics is None or isinstance(metrics, str) and metrics == "all"


def _check_metrics(metrics, dataset):
    """The requested metrics, a list of `Metric` without repetition."""
    names = metric_names()
    if _is_default(metrics):
        found = [METRICS[name] for name in (names if metrics == "all" else _BY_DEFAULT)]
        return [m for m in found if not m.needs_grid or hasattr(dataset, "factor_sizes")]
    asked = list(metrics) if isinstance(metrics, (list, tuple, set)) else [metrics]
    if not asked or not all(
        isinstance(metric, Metric) or isinstance(metric, str) and metric in names
        for metric in asked
    ):
        raise ValueError(
            f'`metrics` must be "all" or names out of {tuple(names)}, or of `kd.metrics.Metric`. '
            f"Received: {metrics!r}"
        )
    found = [METRICS[metric] if isinstance(metric, str) else metric for metric in asked]
    found = list(dict.fromkeys(found))
    for metric in found:
        if not set(metric.of) <= set(_GIVEN):
            raise ValueError(
                f"`metrics` must have inputs among {_GIVEN}, which are available here. "
                f"Received: {metric.name}, of {metric.of}"
            )
        if metric.needs_grid:
            check_grid(dataset)
    taken = [name for m in found for name in {m.name, *(score.name for score in m.scores or ())}]
    if len(set(taken)) < len(taken):
        twice = sorted({name for name in taken if taken.count(name) > 1})
        raise ValueError(f"`metrics` must each have names of their own. Received twice: {twice}")
    return found


def _wilson(share, num):
    """Wilson's 95% interval of a share of `num` votes."""
    z = statistics.NormalDist().inv_cdf(0.975)
    centre, scale = share + z**2 / (2 * num), 1 + z**2 / num
    half = z * np.sqrt(share * (1 - share) / num + z**2 / (4 * num**2))
    return [max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))]
