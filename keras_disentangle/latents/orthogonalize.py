"""Latent vectors without their components along given directions."""

from keras import ops

from keras_disentangle._tensors import as_floats, check_width


def orthogonalize(z, directions):
    r"""Latent vectors with their component along a direction removed.

    $$z - \frac{z \cdot q}{q \cdot q} q$$

    All of them then have the same component, 0, along $q$, which aligns them before an edit
    z + eta q. For several directions, the component in their span is removed.

    Args:
        z: the latent vectors, (n, d).
        directions: one direction (d,), or several (m, d), m <= d, as rows; of any length, and not
            necessarily orthogonal to one another. A zero direction removes nothing. If they are
            linearly dependent, the vectors become orthogonal to all of them, but may lose more
            than the component in their span.

    Returns:
        Tensor (n, d), float32 or wider, differentiable with respect to both arguments.

    Raises:
        ValueError: if an argument has another shape.

    Example:

    >>> kd.latents.orthogonalize(np.array([[3.0, 4.0]]), np.array([0.0, 2.0]))   # [[3, 0]]

    Reference: Peebles et al., 2020 (The Hessian Penalty), figure 7.
    """
    z = as_floats(z=z)
    directions = ops.cast(as_floats(directions=directions), z.dtype)
    shape = tuple(directions.shape)
    if len(shape) not in (1, 2) or 0 in shape or (len(shape) == 2 and shape[0] > shape[1]):
        raise ValueError(
            "`directions` must have the shape (d,), or (m, d) with 1 <= m <= d. "
            f"Received: directions.shape={shape}"
        )
    check_width("z", z, shape[-1])
    if len(shape) == 2:
        # An orthonormal basis of their span, accurate even if they nearly coincide.
        basis, _ = ops.qr(ops.transpose(directions))
        directions = ops.unstack(basis, axis=1)
    else:
        directions = [directions]
    for q in directions:
        # Not a matrix product, which devices may compute in lower precision than float32.
        square = ops.sum(q * q)
        # A zero direction removes nothing.
        square = ops.where(square == 0, ops.ones_like(square), square)
        z = z - ops.sum(z * q, axis=-1, keepdims=True) / square * q
    return z
