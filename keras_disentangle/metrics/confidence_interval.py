"""How far a metric's value would stray with other samples: bootstrap."""

import inspect

import numpy as np

from keras_disentangle._arguments import check_int
from keras_disentangle.metrics._validation import check_held_out


def confidence_interval(
    metric, *arrays, level=0.95, num_resamples=200, bounds=(0.0, 1.0), seed=0, **options
):
    """A confidence interval of a metric, by drawing its samples again with replacement.

    The basic bootstrap: with `s` the score and `q` quantiles of the scores of resamples, it goes
    from `2 s - q_high` to `2 s - q_low`. An estimate of information from frequencies is too high,
    and once more so on a resample: this interval takes that back, so that independent noise has 0
    in its interval of `mig` and `mig_sup` although their scores are above it. `sap` and `dci` of
    noise are above 0 for another reason, the choice of the best among dimensions: their intervals
    began above 0 for about three in ten samples of noise, by at most 0.02. An interval holds for
    other samples of the same codes and factors, not for other trainings.

    Metrics that learn from some rows and score others keep the two apart: a sample is in one part
    in all resamples.

    Args:
        metric: Function of `arrays` that returns a float or a dict of them, such as
            `kd.metrics.mig` or `kd.metrics.dci`.
        *arrays: What it takes, each with a row for each of the n samples: codes, factors.
        level: The share of such intervals that should hold the true value.
        num_resamples: How often samples are drawn again, each time n of them. The time is that of
            as many scores.
        bounds: Lowest and highest value that the metric can have, which cut the interval, or None.
        seed: Seed of the resamples, and of `metric` if it takes one.
        **options: Passed on to `metric`.

    Returns:
        `(low, high)`, or a dict of such pairs.

    Raises:
        ValueError: If the arrays differ in length, `level` is not in (0, 1), `num_resamples` is
            not an integer of at least 2, or `metric` raises one.

    Example:

    ```python
    rng = np.random.default_rng(0)
    codes, factors = rng.standard_normal((1000, 3)), rng.integers(0, 4, size=(1000, 2))
    kd.metrics.confidence_interval(kd.metrics.mig, codes, factors)  # (0.0, 0.00…)
    ```

    Reference:
        Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 5.2.
    """
    arrays = [np.asarray(array) for array in arrays]
    lengths = [len(array) for array in arrays]
    if not arrays or len(set(lengths)) > 1:
        raise ValueError(f"`arrays` must be of one length. Received: lengths {lengths}")
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level!r}")
    num_resamples = check_int("num_resamples", num_resamples, minimum=2)
    size = lengths[0]
    known = inspect.signature(metric).parameters
    if "seed" in known:
        options["seed"] = seed
    held_out = None
    if "held_out" in known:
        held_out = check_held_out(options.pop("held_out", None), size, seed)

    def score(rows):
        extra = {} if held_out is None else {"held_out": held_out[rows]}
        return metric(*(array[rows] for array in arrays), **options, **extra)

    rng = np.random.default_rng(seed)
    parts = [np.arange(size)] if held_out is None else [*map(np.flatnonzero, (held_out, ~held_out))]
    whole = score(np.arange(size))
    resamples = [
        score(np.concatenate([rng.choice(part, len(part)) for part in parts]))
        for _ in range(num_resamples)
    ]
    if not isinstance(whole, dict):
        return _interval(whole, resamples, level, bounds)
    return {
        name: _interval(value, [scores[name] for scores in resamples], level, bounds)
        for name, value in whole.items()
    }


def _interval(score, resamples, level, bounds):
    low, high = np.quantile(resamples, [(1 - level) / 2, (1 + level) / 2])
    interval = np.array([2 * score - high, 2 * score - low])
    if bounds is not None:
        interval = np.clip(interval, *bounds)
    return tuple(interval.tolist())
