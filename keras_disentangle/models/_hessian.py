"""The Hessian Penalty as a term of a model's objective: the argument `hessian_penalty`."""

from keras import tree

from keras_disentangle.losses.hessian_penalty import check_settings, hessian_penalty

TERM = "hessian_penalty"
WEIGHT = "hessian_weight"


def checked_settings(settings, *more):
    """The keywords of `hessian_penalty`, but for `seed`, with those that `settings` gives.

    Args:
        settings: the model's argument, a dict.
        more: further keys that it may have.

    Raises:
        ValueError: if it is no dict, or has an unknown key or one that is out of range.
    """
    known = {k: v for k, v in hessian_penalty.__kwdefaults__.items() if k != "seed"}
    if not isinstance(settings, dict) or set(settings) - {*known, *more}:
        raise ValueError(
            f"`hessian_penalty` must be None or a dict with keys of {[*known, *more]}. "
            f"Received: hessian_penalty={settings!r}"
        )
    settings = {**known, **settings}
    for key in ("reduction", "outputs"):
        given = settings.get(key)
        if not all(x is None or isinstance(x, str) for x in tree.flatten(given)):
            raise ValueError(
                f"`hessian_penalty` must give its `{key}` by name, so that it can be saved. "
                f"Received: {key}={given!r}"
            )
    check_settings(**{k: v for k, v in settings.items() if k not in more})
    return settings


def term_names(layers=()):
    """What is logged: the sum, and the part of each layer that has a name."""
    return [TERM, *(f"{TERM}_{layer}" for layer in layers)]


def terms(found):
    """These terms, from a dict of layer to penalty."""
    # The single output of a generator without a graph has the name "", and is the sum.
    parts = {f"{TERM}_{layer}": value for layer, value in found.items() if layer}
    return {TERM: sum(found.values()), **parts}
