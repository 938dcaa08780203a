"""The two losses of a learnt codebook."""

from keras import ops

from keras_disentangle._tensors import as_floats, check_same_shape


def quantization_loss(continuous, quantized):
    r"""How far the quantised values are from the codes, which are constants: trains the codebooks.

    $$\frac1d \sum_j (\operatorname{sg}[z_j] - q_j)^2$$

    Args:
        continuous: codes before they are quantised, tensor (batch, d).
        quantized: the values that replace them, tensor (batch, d), differentiable with respect to
            the codebooks, as from `kd.layers.LatentQuantization.nearest`.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the two shapes differ or are not of rank 2.

    Example:

    >>> kd.losses.quantization_loss(np.array([[0.1, 0.4]]), np.array([[0.0, 0.5]]))   # [0.01]

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization), section 3.
    """
    continuous, quantized = _checked(continuous, quantized)
    return ops.mean(ops.square(ops.stop_gradient(continuous) - quantized), axis=-1)


def commitment_loss(continuous, quantized):
    r"""How far the codes are from the quantised values, which are constants: trains the encoder.

    $$\frac1d \sum_j (z_j - \operatorname{sg}[q_j])^2$$

    Args:
        continuous, quantized: as in `quantization_loss`.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the two shapes differ or are not of rank 2.

    Example:

    >>> kd.losses.commitment_loss(np.array([[0.1, 0.4]]), np.array([[0.0, 0.5]]))   # [0.01]

    Reference: Hsu et al., 2023 (Disentanglement via Latent Quantization), section 3.
    """
    continuous, quantized = _checked(continuous, quantized)
    return ops.mean(ops.square(continuous - ops.stop_gradient(quantized)), axis=-1)


def _checked(continuous, quantized):
    continuous, quantized = as_floats(continuous=continuous, quantized=quantized)
    check_same_shape("continuous", continuous, "quantized", quantized, rank=2)
    return continuous, quantized
