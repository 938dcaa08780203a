"""Checks shared by the metrics of several models."""

import numpy as np

from keras_disentangle._arguments import listed


def check_list(name, values, minimum=2):
    """`values` as a list with an entry for each of at least `minimum` models."""
    try:
        found = listed(values)
    except TypeError:
        found = None
    if found is None or isinstance(values, (str, dict)) or len(found) < minimum:
        count = f" of {len(found)}" if found is not None else ""
        raise ValueError(
            f"`{name}` must be a list with an entry for each of two or more models. "
            f"Received: {type(values).__name__}{count}"
        )
    return found


def check_groups(groups, num_models):
    """Boolean array (n, n): which models each model is compared with."""
    labels = np.zeros(num_models) if groups is None else check_list("groups", groups)
    if len(labels) != num_models:
        raise ValueError(
            f"`groups` must have a label for each of {num_models} models. Received: {len(labels)}"
        )
    try:
        hash(tuple(labels))
    except TypeError as error:
        raise ValueError(
            f"`groups` must hold strings, numbers or tuples. Received: groups={labels!r}"
        ) from error
    alike = np.array([[a == b for b in labels] for a in labels], bool)
    np.fill_diagonal(alike, False)
    if not alike.any(axis=1).all():
        alone = [label for label, row in zip(labels, alike, strict=True) if not row.any()]
        raise ValueError(
            "`groups` must have at least two models with each label. "
            f"Received: one model with the label {alone[0]!r}"
        )
    return alike
