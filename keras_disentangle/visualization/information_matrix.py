import numpy as np

from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._figure import drawn, new_figure
from keras_disentangle.visualization._rungs import rung_sizes


def information_matrix(information, factor_names, *, rungs=None, size=None, path=None):
    """Draws which latent dimension knows of which factor: a row a factor, a column a dimension.

    Disentangled codes show one dark cell in each row and in each column in use. Two dark cells in a
    row are a factor that is split (what MIG sees), in a column factors that are merged (MIG-sup).

    Args:
        information: Array (d, k), such as `kd.metrics.mutual_information`, in nats or as shares of
            each factor's entropy.
        factor_names: The names of the k factors.
        rungs: None, or sizes of consecutive groups of dimensions, which sum to d: lines set them
            apart.
        size: None, or width and height in inches; there are 120 pixels to an inch.
        path: None, or where to write the picture as PNG.

    Returns:
        `Picture`, a uint8 array (H, W, 3).

    Raises:
        ValueError: If `information` is no finite array (d, k) of numbers that are not negative, the
            names or rungs do not fit, or `size` is not positive.

    Example:

    >>> factors = np.random.default_rng(0).integers(0, 4, size=(1000, 2))
    >>> codes = factors + np.random.default_rng(1).normal(size=(1000, 2))
    >>> information = kd.metrics.mutual_information(codes, factors)
    >>> picture = information_matrix(information, ("shape", "size"))

    Reference:
        Li et al., Progressive Learning and Disentanglement of Hierarchical Representations, 2020,
        Figures 8 and 9, tell of what the two scores see.
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
    names = [str(name) for name in factor_names] if np.iterable(factor_names) else [factor_names]
    if len(names) != width:
        raise ValueError(f"`factor_names` must be {width} names. Received: {names}")
    if rungs is not None and sum(sizes := rung_sizes(rungs)) != dims:
        raise ValueError(f"`rungs` must be positive and sum to {dims}. Received: rungs={rungs}")
    if size is None:
        size = (2.2 + 0.5 * dims, 0.9 + 0.4 * width)
    figure = new_figure(size)
    axes = figure.add_subplot()
    limit = information.max() or 1.0
    shown = axes.imshow(information.T, cmap="YlGnBu", vmin=0, vmax=limit, aspect="auto")
    for (j, k), value in np.ndenumerate(information):
        color = "white" if value > 0.6 * limit else "black"
        axes.text(j, k, f"{value:z.2f}", ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(dims), [f"$z_{{{j + 1}}}$" for j in range(dims)])
    axes.set_yticks(range(width), names)
    for edge in np.cumsum(sizes)[:-1] if rungs is not None else ():
        axes.axvline(edge - 0.5, color="black", linewidth=1.5)
    figure.colorbar(shown, ax=axes, label="$I(z_j; v_k)$")
    return drawn(figure, path)
