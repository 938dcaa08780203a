"""Charts of the information in latents about factors and about images."""

import numpy as np

from keras_disentangle._arguments import check_number, listed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.latents.as_space import as_rungs
from keras_disentangle.visualization._colour_scale import COLORMAP
from keras_disentangle.visualization._figure import drawn, new_figure
from keras_disentangle.visualization._labelled_grid import check_labels
from keras_disentangle.visualization._rungs import dimension_labels
from keras_disentangle.visualization.grids import image_grid


def information_matrix(
    information, factor_names, *, rungs=None, names=None, size=None, title=None, path=None
):
    """Draws the mutual information of dimensions (columns) and factors (rows) as a matrix.

    Disentangled codes show one dark cell in each row, and in each column of an active dimension.
    Two dark cells in a row mean a factor that is split (which lowers MIG), two in a column mean
    factors that share a dimension (which lowers MIG-sup).

    Args:
        information: array (d, k), as from `kd.metrics.mutual_information`, in nats or as shares of
            each factor's entropy.
        factor_names: the names of the k factors.
        rungs: `None`, or sizes of consecutive groups of dimensions, which sum to d, or the
            `LatentSpace` of a model: lines separate them.
        names: `None`, or the names of the d dimensions; by default those of `rungs`.
        size: `None`, or width and height in inches; there are 120 pixels to an inch.
        title: `None`, or a text above the picture.
        path: `None`, or the PNG file to write the picture to.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if `information` is not an array (d, k) of finite numbers >= 0, the names or
            rungs do not fit, or `size` is not positive.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> codes = factors + np.random.default_rng(1).normal(size=(1000, 2))
    >>> information = kd.metrics.mutual_information(codes, factors)
    >>> picture = information_matrix(information, ("shape", "size"))

    Reference: Li et al., Progressive Learning and Disentanglement of Hierarchical Representations,
    2020, Figures 8 and 9 (on the difference between the two scores).
    """
    information = to_numpy("information", information).astype("float64")
    if (
        information.ndim != 2
        or 0 in information.shape
        or not (np.isfinite(information) & (information >= 0)).all()
    ):
        raise ValueError(
            "`information` must be an array (dimensions, factors) of finite numbers >= 0. "
            f"Received: shape={information.shape}, values={information.tolist()}"
        )
    dims, width = information.shape
    factors = [str(name) for name in factor_names] if np.iterable(factor_names) else [factor_names]
    if len(factors) != width:
        raise ValueError(f"`factor_names` must be {width} names. Received: {factors}")
    space = as_rungs(rungs, dims)
    names = check_labels("names", names, dims, "dimension")
    if names is None:
        names = sum(dimension_labels(space).values(), [])
    if size is None:
        size = (2.2 + 0.5 * dims, 0.9 + 0.4 * width)
    figure = new_figure(size)
    axes = figure.add_subplot()
    limit = information.max() or 1.0
    shown = axes.imshow(information.T, cmap=COLORMAP, vmin=0, vmax=limit, aspect="auto")
    for (j, k), value in np.ndenumerate(information):
        color = "white" if value > 0.6 * limit else "black"
        axes.text(j, k, f"{value:z.2f}", ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(dims), names)
    axes.set_yticks(range(width), factors)
    for part in list(space.slices.values())[1:]:
        axes.axvline(part.start - 0.5, color="black", linewidth=1.5)
    figure.colorbar(shown, ax=axes, label="information $I(z_j; v_k)$")
    return drawn(figure, path, title)


def information_flow(stages, images=None, path=None, *, title=None):
    """Draws how much information each rung holds at each stage of progressive training.

    For each stage, from left to right, the length of a green bar for each rung is I(x; z_l); the
    total I(x; z) is written on top, as in Figure 5 of Li et al. (2020). The sum over rungs may
    exceed the total: the excess is information that the rungs share.

    Args:
        stages: list with a dict for each stage: "total", the total I(x; z) in nats, and "rungs",
            the I(x; z_l) in nats, most abstract rung first; optionally "stage", its number.
        images: `None`, or for each stage an array (rungs, n, h, w, c) of floats in [0, 1] or of
            uint8, shown beside the bars: samples of each rung with the others fixed.
        title: `None`, or a text above the picture.
        path: `None`, or the PNG file to write the picture to.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: if `stages` is empty, the stages differ in their number of rungs, a number is
            not finite, or `images` does not fit.

    Example:

    >>> picture = information_flow([
    ...     {"total": 10.61, "rungs": [10.59, 0.02, 0.0]},
    ...     {"total": 12.84, "rungs": [6.94, 5.98, 0.0]},
    ... ])

    Reference: Li et al., Progressive learning and disentanglement of hierarchical representations,
    2020.
    """
    stages, rungs, totals = _checked(stages)
    if not rungs or rungs[0].ndim != 1 or len({values.shape for values in rungs}) != 1:
        raise ValueError(
            "`stages` must be one or more stages with equally many rungs. "
            f"Received: stages={stages}"
        )
    if not (np.isfinite(rungs).all() and np.isfinite(totals).all()):
        raise ValueError(f"`stages` must hold finite numbers. Received: stages={stages}")
    number = rungs[0].size
    if images is not None:
        try:
            images = [to_numpy("images", rows) for rows in listed(images)]
        except TypeError:
            images = []
    if images is not None and [rows.shape[:1] for rows in images] != [(number,)] * len(rungs):
        raise ValueError(
            f"`images` must hold, for each of {len(rungs)} stages, {number} rows of images. "
            f"Received: {[np.shape(rows) for rows in images]}"
        )
    # Axes are placed by hand, in inches, so that bars and rows of images line up undistorted.
    left, bottom, top, bar_width, height = 0.45, 0.5, 0.35, 1.8, 0.85 * number
    top += 0.0 if title is None else 0.35
    grids = []
    for rows in images if images is not None else ():
        # Anything but rows of images is refused by `image_grid`.
        grids.append(image_grid(rows.reshape(-1, *rows.shape[2:]), max(1, rows.shape[1])))
    widths = [height * grid.shape[1] / grid.shape[0] for grid in grids] or [0] * len(rungs)
    figure_width = sum(widths) + len(rungs) * (left + bar_width + 0.1) + 0.1
    figure_height = bottom + height + top
    figure = new_figure((figure_width, figure_height), layout=None)

    def add_axes(x, width):
        return figure.add_axes(
            (
                x / figure_width,
                bottom / figure_height,
                width / figure_width,
                height / figure_height,
            )
        )

    names = [f"$z_{level}$" for level in range(number, 0, -1)]
    limit = 1.4 * max(np.max(rungs), 1e-6)  # room for the number at the end of the longest bar
    x = 0.0
    for stage, values in enumerate(rungs):
        bars = add_axes(x + left, bar_width)
        # An estimate near 0 may be slightly negative.
        patches = bars.barh(range(number), values.clip(0), height=0.5, color="tab:green")
        bars.bar_label(patches, [f"{value:z.2f}" for value in values], padding=3)
        bars.set(xlim=(0, limit), ylim=(number - 0.5, -0.5), xlabel="$I(x; z_l)$ [nats]")
        bars.set_yticks(range(number), names)
        bars.set_title(
            f"stage {stages[stage].get('stage', stage)}: $I(x; z)$ = {totals[stage]:z.2f}",
            fontsize="medium",
        )
        bars.spines[["top", "right"]].set_visible(False)
        x += left + bar_width + 0.1
        if grids:
            samples = add_axes(x, widths[stage])
            samples.imshow(
                grids[stage], cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest"
            )
            samples.set_axis_off()
            x += widths[stage]
    return drawn(figure, path, title)


def _checked(stages):
    """`stages` as a list of dicts, with the rungs' information as arrays and the totals."""
    stages = list(stages) if isinstance(stages, (list, tuple)) else []
    keys = {"total", "rungs"}
    if any(not isinstance(stage, dict) or not keys <= set(stage) for stage in stages):
        raise ValueError(f"`stages` must be dicts with {sorted(keys)}. Received: stages={stages}")
    rungs = [to_numpy("stages", stage["rungs"]).astype("float64") for stage in stages]
    return stages, rungs, [check_number("stages", stage["total"]) for stage in stages]
