"""The variational information bound of InfoGAN."""

from keras_disentangle._tensors import as_floats, check_same_batch, check_width


def information_lower_bound(space, q_params, codes):
    r"""Variational lower bound of the mutual information I(c; G(z, c)), in nats per example.

    $$\sum_k [\log q_k(c_k \mid x) + H(c_k)]$$

    over the informative codes. It is at most their entropy if they are categorical, and unbounded
    if they are continuous.

    Args:
        space: the `LatentSpace`.
        q_params: outputs of the recognition network for x = G(codes), tensor
            (batch, space.num_params).
        codes: the latent vectors, tensor (batch, space.dim).

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if `space` has no informative code, or a width or the number of codes is wrong.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Categorical(10)])
    >>> kd.losses.information_lower_bound(space, np.zeros((1, 10)), np.eye(10)[:1])   # [0.0]

    Reference: Chen et al., 2016 (InfoGAN), eq. 5.
    """
    return sum(information_per_code(space, q_params, codes).values())


def information_per_code(space, q_params, codes):
    r"""The terms of `information_lower_bound`: $\log q_k(c_k \mid x) + H(c_k)$ of each code.

    Args:
        space, q_params, codes: as in `information_lower_bound`.

    Returns:
        Dict of the informative codes' names to tensors (batch,), in nats.

    Raises:
        ValueError: as in `information_lower_bound`.

    Example:

    >>> space = kd.latents.LatentSpace([kd.latents.Normal(2), kd.latents.Categorical(10)])
    >>> codes = space.sample(8, seed=0)
    >>> kd.losses.information_per_code(space, np.zeros((8, 10)), codes)["categorical"]   # zeros

    Reference: Chen et al., 2016 (InfoGAN), eq. 5.
    """
    if not getattr(space, "informative", None):
        raise ValueError(
            f"`space` must be a `LatentSpace` with an informative code. Received: space={space}"
        )
    q_params, codes = as_floats(q_params=q_params, codes=codes)
    check_width("q_params", q_params, space.num_params)
    check_width("codes", codes, space.dim)
    check_same_batch("q_params", q_params, "codes", codes)
    entropy = space.entropy()
    log_likelihood = space.log_likelihood(q_params, codes)
    return {name: value + entropy[name] for name, value in log_likelihood.items()}
