"""The argument `hessian_penalty` of the models: a shorthand for a `HessianPenalty`."""

from keras import tree

from keras_disentangle._arguments import check_int
from keras_disentangle.losses.hessian_penalty import hessian_penalty
from keras_disentangle.penalties import HessianPenalty

ARGUMENTS_OF_RAMPS = {"hessian_weight": "hessian_penalty={}"}


def as_penalties(settings, *more, **defaults):
    """A list of the one penalty that the argument stands for, empty for `None`.

    Args:
        settings: the model's argument: `None`, or a dict of keywords of `hessian_penalty` except
            `seed`, and `every`.
        more: further keys that it may have.
        **defaults: arguments of the penalty that replace its own defaults.

    Raises:
        ValueError: if it is not a dict, or has an unknown key or a value that is out of range.
    """
    if settings is None:
        return []
    known = [*(key for key in hessian_penalty.__kwdefaults__ if key != "seed"), "every", *more]
    if not isinstance(settings, dict) or set(settings) - set(known):
        raise ValueError(
            f"`hessian_penalty` must be None or a dict with keys of {known}. "
            f"Received: hessian_penalty={settings!r}"
        )
    for key in ("reduction", "outputs"):
        given = settings.get(key)
        if not all(x is None or isinstance(x, str) for x in tree.flatten(given)):
            raise ValueError(
                f"`hessian_penalty` must give its `{key}` by name, so that it can be saved. "
                f"Received: {key}={given!r}"
            )
    settings = dict(settings)
    if "num_layers" in settings:
        settings["outputs"] = check_int("num_layers", settings.pop("num_layers"))
    return [HessianPenalty(**{"weight": 0.0, **defaults, **settings})]
