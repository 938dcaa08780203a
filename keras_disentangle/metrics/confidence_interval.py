"""Bootstrap confidence intervals of metrics."""

import inspect
import numbers

import numpy as np

from keras_disentangle._arguments import check_callable, check_int, check_number, check_seed
from keras_disentangle._progress import progress
from keras_disentangle._tensors import to_numpy
from keras_disentangle.metrics._validation import check_held_out
from keras_disentangle.metrics.metric import Metric, declaration_of
from keras_disentangle.metrics.score import check_bounds


def confidence_interval(
    metric, *arrays, level=0.95, num_resamples=200, bounds="declared", seed=0, **options
):
    """A bootstrap confidence interval of a metric.

    A resample consists of n of the n samples, drawn with replacement. For metrics that fit a
    predictor to some rows and score others (`dci`, `sap`, `explicitness`), where repeated rows
    would help the predictor too much, it is half of each part, drawn without replacement. With `s`
    the score, `m` the mean of the resamples' scores and `q` their quantiles, the interval is
    `s - (q - m)`, the basic bootstrap, extended by the bias `s - m` on the side to which it points.
    So it contains the mean score of samples of this size, `s` itself and, to first order, the score
    of infinitely many samples: an estimate of information from frequencies is biased upwards, and
    by as much again on a resample, so that the intervals of `mig` and `mig_sup` of a random code
    contain 0 although its scores are positive. `dci` and `irs` change more with the number of
    samples than the interval shows.

    An interval is valid for other samples of the same codes and factors, not for other training
    runs.

    Args:
        metric: function of `arrays` that returns a float or a dict of them, such as
            `kd.metrics.mig` or `kd.metrics.dci`; or a `kd.metrics.Metric`, whose scores have the
            names that they have in `kd.evaluate`.
        *arrays: its arguments, each with a row for each of the n samples: codes, factors.
        level: the share of such intervals that should contain the true value.
        num_resamples: the number of resamples; the metric is computed once for each.
        bounds: lowest and highest value of the metric, to which the interval is clipped; `None` for
            no clipping. By default the bounds that each score of a metric declares; 0 and 1 for any
            other function.
        seed: seed of the resamples, and of `metric` if it takes one.
        **options: passed on to `metric`.

    Returns:
        `(low, high)`, or a dict of such pairs; for an infinite score, that value twice.

    Raises:
        ValueError: if the arrays differ in length, `level` is not in (0, 1), `num_resamples` is not
            an integer of at least 2, `metric` returns anything but numbers, or raises a ValueError.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> codes, factors = rng.standard_normal((1000, 3)), rng.integers(0, 4, size=(1000, 2))
    >>> low, high = kd.metrics.confidence_interval(kd.metrics.mig, codes, factors)
    >>> low, high < 0.1
    (0.0, True)

    Reference: Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 5.2.
    Politis, Romano & Wolf, Subsampling, 1999, chapter 2.
    """
    check_callable("metric", metric)
    arrays = [to_numpy(f"arrays[{i}]", array) for i, array in enumerate(arrays)]
    lengths = [len(array) if array.ndim else None for array in arrays]
    if not arrays or len(set(lengths)) > 1 or not lengths[0]:
        raise ValueError(
            f"`arrays` must be of one length, of at least 1. Received: lengths {lengths}"
        )
    level = check_number("level", level, above=0, below=1)
    seed = check_seed("seed", seed)
    bounds_of = _bounds(metric, bounds)
    num_resamples = check_int("num_resamples", num_resamples, minimum=2)
    size = lengths[0]
    function = metric.function if isinstance(metric, Metric) else metric
    known = inspect.signature(function).parameters
    if "seed" in known:
        options["seed"] = seed
    held_out = None
    if "held_out" in known:
        held_out = check_held_out(options.pop("held_out", None), size, seed)

    def score(rows):
        extra = {} if held_out is None else {"held_out": held_out[rows]}
        return metric(*(array[rows] for array in arrays), **options, **extra)

    def draw():
        if held_out is None:
            return rng.integers(size, size=size)
        parts = [np.flatnonzero(held_out), np.flatnonzero(~held_out)]
        return np.concatenate([rng.choice(p, -(-len(p) // 2), replace=False) for p in parts])

    rng = np.random.default_rng(seed)
    whole = score(np.arange(size))
    named = whole if isinstance(whole, dict) else {"": whole}
    wrong = [name for name, value in named.items() if not _is_number(value)]
    if wrong:
        raise ValueError(
            "`metric` must return a number, or a dict of numbers. Received: "
            f"{type(named[wrong[0]]).__name__} {wrong[0]}"
        )
    resamples = [score(draw()) for _ in progress(range(num_resamples), "resamples")]
    if not isinstance(whole, dict):
        return _interval(whole, resamples, level, bounds_of(None))
    return {
        name: _interval(value, [scores[name] for scores in resamples], level, bounds_of(name))
        for name, value in whole.items()
    }


def _bounds(metric, bounds):
    """Function from the key of a score in the result of `metric` to its bounds, or `None`."""
    if not (isinstance(bounds, str) and bounds == "declared"):
        check_bounds(bounds, optional=True)
        return lambda key: bounds
    declared = declaration_of(metric)
    if declared is None:
        return lambda key: (0.0, 1.0)
    scores = declared.scores or ()
    named = isinstance(metric, Metric)
    own = {score.name if named else score.key: score.bounds for score in scores}
    return lambda key: own.get(key)


def _is_number(value):
    is_real = isinstance(value, numbers.Real) or hasattr(value, "shape")
    return is_real and not np.ndim(value) and not isinstance(value, (bool, np.bool_))


def _interval(score, resamples, level, bounds):
    score = float(score)
    finite = [float(value) for value in resamples if np.isfinite(float(value))]
    if not np.isfinite(score) or not finite:
        return score, score
    mean = np.mean(finite)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2]) - mean
    bias = score - mean
    interval = np.array([score - high + min(bias, 0.0), score - low + max(bias, 0.0)])
    if bounds is not None:
        interval = np.clip(interval, *bounds)
    return tuple(interval.tolist())
