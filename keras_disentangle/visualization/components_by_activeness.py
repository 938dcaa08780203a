import numpy as np

from keras_disentangle._arguments import check_flag, check_int
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._labelled_grid import labelled_grid, texts_of
from keras_disentangle.visualization._rungs import split_rungs
from keras_disentangle.visualization._traverse import checked_values, traverse


def components_by_activeness(
    decode,
    latent,
    activeness,
    values=None,
    *,
    num=None,
    span=2.0,
    steps=9,
    value_labels=False,
    padding=1,
):
    """Draws what each latent component does, the most active first: a row for each component.

    Each component in turn takes the values while the others stay as in `latent`. The rows are
    labelled with the component, of which the first is "z1", and its activeness.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with n = d * number of values.
        latent: Array (d,), the point from which to set out.
        activeness: Array (d,), what `metrics.activeness` gives.
        values: Values to visit, (steps,); by default `steps` of them from -`span` to `span`, in
            the latent's own units: -2 to 2, as in the paper's figures.
        num: How many components are drawn; by default all.
        span: Half the width of the default range.
        steps: Number of default values.
        value_labels: Whether the values stand above the columns.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range.

    Example:

    >>> scores = kd.metrics.activeness(generator, 4)
    >>> picture = components_by_activeness(generator, np.zeros(4), scores)

    Reference:
        Peebles et al., The Hessian Penalty, 2020, Figure 3.
    """
    latent, *_ = split_rungs(latent, None)
    activeness = to_numpy("activeness", activeness).astype("float64")
    if activeness.shape != latent.shape or not np.isfinite(activeness).all():
        raise ValueError(
            f"`activeness` must be {latent.size} finite numbers, one for each component. "
            f"Received: activeness={activeness}"
        )
    num = latent.size if num is None else min(check_int("num", num), latent.size)
    # Stable, so that components of one activeness stay in their order.
    order = np.argsort(-activeness, kind="stable")[:num]
    values = checked_values(values, span, steps)
    images = traverse(decode, latent, values)[order]
    labels = [f"z{component + 1}: {activeness[component]:.2g}" for component in order]
    above = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, [num], labels, padding, above)
