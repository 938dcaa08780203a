"""Declarations of metrics, used to list, call, test and document them."""

import dataclasses
import functools
import inspect
from collections.abc import Callable

from keras_disentangle._arguments import check_callable, check_choice, check_flag
from keras_disentangle.metrics.score import Score

METRICS = {}
"""Dict from names to the `Metric` declared for every metric of this package.

The order is that of the imports, which is that of `kd.evaluate(metrics="all")`.
"""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric, as `kd.evaluate`, confidence intervals, the command and the documentation use it.

    The arguments of its function without a default are its inputs (`codes` and `factors`, say);
    those with a default are its options. `kd.evaluate` can compute every metric whose inputs are
    among the following, and sets the options of these names that the function has.

    - `codes`: array (n, d), the means of the posteriors, or the codes of a model that has none.
    - `factors`: integer array (n, k), the index of each factor's value.
    - `mean`, `log_var`: arrays (n, d), the posteriors.
    - `encode`: function from images (m, h, w, c), float32 in [0, 1], to codes (m, d).
    - `dataset`: the data set itself.
    - Options: `seed`; `rungs`, the sizes of the groups of dimensions; `num_samples`, of latents;
      `num_train`, `num_eval`, numbers of votes; `num_variance`, the number of images, at least 2;
      `encode_batch`, of images to encode at once; `discrete_codes`, whether codes take few values,
      the model's attribute of this name.

    Args:
        function: function that returns a number, or a dict of numbers.
        name: the metric's name, by default the function's.
        scores: list of `Score`, one for each number of the result. By default, each number that the
            function returns is named after the metric (`<name>_<key>` for a dict), with unknown
            bounds.
        learns: whether it fits a predictor to some of the rows and scores others.
        interval: how confidence intervals are computed: "resamples", of the rows of codes and
            factors (`kd.metrics.confidence_interval`); "votes", Wilson's, of the share of
            `num_eval`; or `None`, not at all.
        needs_grid: whether `dataset` must have images of every combination of factors.
        several_models: whether each input is a list with an entry for each of several models, which
            are compared with each other. `of` then calls `codes` "codes of models", and so on, and
            `kd.evaluate`, which is about one model, does not compute the metric.

    Raises:
        ValueError: if `function` is not callable or has no name, `scores` is not a list of `Score`
            with distinct names, or `interval` does not fit the function's arguments.

    Example:

    >>> def spread(codes):
    ...     return float(np.var(codes, axis=0).max())
    >>> metric = kd.metrics.Metric(spread)
    >>> kd.evaluate(model, data, metrics=["mig", metric])["spread"]
    """

    function: Callable
    _: dataclasses.KW_ONLY
    name: str | None = None
    scores: tuple[Score, ...] | None = None
    learns: bool = False
    interval: str | None = None
    needs_grid: bool = False
    several_models: bool = False

    def __post_init__(self):
        check_callable("function", self.function)
        own = getattr(self.function, "__name__", None) if self.name is None else self.name
        if not isinstance(own, str) or not own:
            raise ValueError(
                "`name` must be a string if the function has no name of its own. "
                f"Received: name={self.name!r}, function={self.function!r}"
            )
        object.__setattr__(self, "name", own)
        check_flag("learns", self.learns)
        check_flag("needs_grid", self.needs_grid)
        check_flag("several_models", self.several_models)
        if self.scores is not None:
            object.__setattr__(self, "scores", _check_scores(self.scores))
        check_choice("interval", self.interval, ("resamples", "votes", None))
        if self.interval == "resamples" and not set(self.of) <= {"codes", "factors"}:
            raise ValueError(
                '`interval` must be None or "votes" for a metric that is not of codes and factors '
                f"alone. Received: interval={self.interval!r}, a function of {self.of}"
            )
        if self.interval == "votes" and "num_eval" not in self.options:
            raise ValueError(
                '`interval` must be None or "resamples" for a metric without an option `num_eval`. '
                f"Received: interval={self.interval!r}, options {tuple(self.options)}"
            )

    @functools.cached_property
    def of(self):
        """Its inputs: the names of its function's arguments without a default."""
        names = tuple(name for name, default in self._arguments.items() if default is _EMPTY)
        return tuple(f"{name} of models" for name in names) if self.several_models else names

    @functools.cached_property
    def options(self):
        """Dict of its function's other arguments to their defaults."""
        return {name: value for name, value in self._arguments.items() if value is not _EMPTY}

    @functools.cached_property
    def _arguments(self):
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind not in variadic}

    @property
    def summary(self):
        """The first sentence of its function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n\n")[0].replace("\n", " ")

    def __call__(self, *arguments, **options):
        """The function's result, as a dict with the scores' names in `kd.evaluate` as keys."""
        return self.named(self.function(*arguments, **options))

    def named(self, found):
        """A result of the function, or a dict of the same keys, renamed to the scores' names."""
        if self.scores is not None:
            return {s.name: found if s.key is None else found[s.key] for s in self.scores}
        if isinstance(found, dict):
            return {f"{self.name}_{key}": value for key, value in found.items()}
        return {self.name: found}


_EMPTY = inspect.Parameter.empty


def declare(function, **declaration):
    """Declares a function of this package as a `Metric` and adds it to `METRICS`."""
    metric = Metric(function, **declaration)
    METRICS[metric.name] = metric


def declaration_of(function):
    """The `Metric` declared for a function, or `None`; a `Metric` is returned as it is."""
    if isinstance(function, Metric):
        return function
    return next((m for m in METRICS.values() if m.function is function), None)


def _check_scores(scores):
    is_list = isinstance(scores, (list, tuple)) and len(scores) > 0
    if not is_list or not all(isinstance(score, Score) for score in scores):
        raise ValueError(f"`scores` must be None or a list of `Score`. Received: scores={scores!r}")
    names = [score.name for score in scores]
    if len(set(names)) < len(names):
        raise ValueError(f"`scores` must each have a name of their own. Received: {names}")
    return tuple(scores)
