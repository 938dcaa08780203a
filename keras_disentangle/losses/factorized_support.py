"""How far the support of a batch of codes is from a product of intervals or sets."""

import itertools

from keras import ops

from keras_disentangle._arguments import check_int
from keras_disentangle._tensors import as_floats


def factorized_support(z, num_shifts=None):
    r"""Distance of the support of codes from the product of its dimensions' supports.

    $$\sum_{i < j} \max_{a \in Z_i \times Z_j} \min_{b \in Z_{ij}} \lVert a - b \rVert^2$$

    where $Z_{ij}$ are the values of dimensions i and j in the batch, and $Z_i$ those of one of
    them: the squared Hausdorff distance of each pair of dimensions. It is 0 if each value of a
    dimension occurs with each value of any other one, however often: unlike the total correlation,
    it permits dimensions that are correlated. It falls with the scale of the codes, so something
    else must keep that, such as the KL term.

    Args:
        z: codes, such as posterior means, tensor (batch, d), at least two.
        num_shifts: s, which combinations are candidates for a: of each code's value of dimension i
            with the values of dimension j in the s codes that follow it in the batch, s < batch.
            `None` for all, which takes memory for batch³ d² / 2 numbers.

    Returns:
        Scalar, float32 or wider; 0 for a single dimension.

    Raises:
        ValueError: if `z` is not (batch, d) with at least two codes, or `num_shifts` is out of
            range.

    Example:

    >>> grid = np.stack(np.meshgrid(np.arange(3.0), np.arange(3.0)), -1).reshape(9, 2)
    >>> diagonal = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> [float(kd.losses.factorized_support(z)) for z in (grid, diagonal)]
    [0.0, 2.0]

    Reference: Roth et al., 2023 (Disentanglement of correlated factors via Hausdorff factorized
    support).
    """
    z = as_floats(z=z)
    if len(z.shape) != 2 or z.shape[0] is not None and z.shape[0] < 2:
        raise ValueError(
            f"`z` must have the shape (batch, d), with at least two codes. "
            f"Received: {tuple(z.shape)}"
        )
    n, width = z.shape
    if num_shifts is not None:
        check_int("num_shifts", num_shifts, **({} if n is None else {"maximum": n - 1}))
    if width < 2:
        return ops.zeros((), z.dtype)
    first, second = map(list, zip(*itertools.combinations(range(width), 2), strict=True))
    u, v = ops.take(z, first, axis=1), ops.take(z, second, axis=1)  # (batch, pairs)
    if num_shifts is None:
        a = ops.reshape(ops.expand_dims(u, 1) + ops.zeros_like(v), (-1, len(first)))
        b = ops.reshape(ops.expand_dims(v, 0) + 0.0 * ops.expand_dims(u, 1), (-1, len(first)))
    else:
        a = ops.concatenate([u] * num_shifts)
        b = ops.concatenate([ops.roll(v, -shift, axis=0) for shift in range(1, num_shifts + 1)])
    distances = ops.square(ops.expand_dims(a, 1) - u) + ops.square(ops.expand_dims(b, 1) - v)
    return ops.sum(ops.max(ops.min(distances, axis=1), axis=0))
