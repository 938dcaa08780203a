"""Standard deviations over the batch, as units of codes."""

from keras import ops


def spread(z):
    """The standard deviation of each dimension over the batch plus 1e-6, like one example of `z`.

    Raises:
        ValueError: if there is a single example.
    """
    if z.shape[0] == 1:
        raise ValueError(
            "`z` must hold at least two examples, because their standard deviations over the batch "
            f"are the unit. Received: z.shape={tuple(z.shape)}"
        )
    variance = ops.mean(ops.square(z - ops.mean(z, axis=0)), axis=0)
    # The square root has no finite derivative at 0, where a dimension is constant.
    varies = variance > 0
    root = ops.sqrt(ops.where(varies, variance, ops.ones_like(variance)))
    return ops.where(varies, root, ops.zeros_like(root)) + 1e-6
