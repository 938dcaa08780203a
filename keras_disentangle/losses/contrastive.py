"""The contrastive loss of latent directions: changes along one of them must look alike."""

from keras import ops

from keras_disentangle._arguments import check_flag, check_number
from keras_disentangle._tensors import as_floats

_ZERO = 1e-12  # A change whose squared norm is smaller has no orientation.
_NONE = -1e30  # The logarithm of what is not counted.


def direction_contrast(changes, temperature=2.0, absolute=True):
    r"""The contrastive loss of the changes along directions, for each change.

    With $s$ the cosine of two changes, or its absolute value, and means over changes

    $$-\log \frac{\operatorname{mean}_{j \neq i} e^{s(i, k; j, k) / \tau}}
                 {\operatorname{mean}_{j, l \neq k} e^{s(i, k; j, l) / \tau}}$$

    for the change of example i along direction k: it is to be like the changes of other examples
    along the same direction, and unlike all changes along others. It is below 0 where it is more
    like the former, 0 where all changes are equal, and at least $-1 / \tau$ with absolute values.

    The published release multiplies similarities by 0.5: a temperature of 2. It takes means where
    the paper has sums, which differ by a constant.

    Args:
        changes: changes of features, tensor (batch, k, f), batch and k >= 2. Only their
            orientation counts; a change of 0 is orthogonal to all others.
        temperature: $\tau$, > 0.
        absolute: whether opposite changes are alike, so that the sense of a direction is free.

    Returns:
        Tensor (batch, k), float32 or wider.

    Raises:
        ValueError: if the shape is wrong, there is a single example or direction, or an argument is
            out of range.

    Example:

    >>> changes = np.tile(np.eye(3), (4, 1, 1))   # each direction changes a feature of its own
    >>> kd.losses.direction_contrast(changes).shape   # all are -0.5
    (4, 3)

    Reference: Yüksel et al., 2021 (LatentCLR), equation 3.
    """
    temperature = check_number("temperature", temperature, above=0)
    absolute = check_flag("absolute", absolute)
    changes = as_floats(changes=changes)
    shape = tuple(changes.shape)
    if len(shape) != 3 or shape[0] in (0, 1) or shape[1] < 2 or not shape[2]:
        raise ValueError(
            "`changes` must have the shape (batch, k, f), with at least two examples and two "
            f"directions. Received: changes.shape={shape}"
        )
    n, k, size = ops.shape(changes)[0], *shape[1:]
    squared = ops.sum(ops.square(changes), axis=-1, keepdims=True)
    rows = ops.reshape(changes * ops.rsqrt(ops.maximum(squared, _ZERO)), (-1, size))
    similarity = ops.matmul(rows, ops.transpose(rows))
    if absolute:
        similarity = ops.abs(similarity)
    place = ops.arange(n * k)
    same_direction = ops.mod(place, k)[:, None] == ops.mod(place, k)[None]
    is_other = place[:, None] != place[None]
    parts = []
    for kept in (ops.logical_and(same_direction, is_other), ops.logical_not(same_direction)):
        number = ops.sum(ops.cast(kept, similarity.dtype), axis=1)
        powers = ops.logsumexp(ops.where(kept, similarity / temperature, _NONE), axis=1)
        parts.append(powers - ops.log(number))
    return ops.reshape(parts[1] - parts[0], (-1, k))
