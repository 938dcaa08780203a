"""The Hessian Penalty as a term of a model's objective: the argument `hessian_penalty`."""

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
    if not isinstance(settings["reduction"], str):
        raise ValueError(
            "`hessian_penalty` must give its `reduction` by name, so that it can be saved. "
            f"Received: reduction={settings['reduction']!r}"
        )
    check_settings(**{k: v for k, v in settings.items() if k not in more})
    return settings


def term_names(layers=()):
    """What is logged: the sum, and each layer's part if there are several."""
    return [TERM, *(f"{TERM}_{layer}" for layer in layers if len(layers) > 1)]


def terms(found):
    """These terms, from a dict of layer to penalty."""
    parts = {f"{TERM}_{layer}": value for layer, value in found.items() if len(found) > 1}
    return {TERM: sum(found.values()), **parts}
