"""Losses of generator and discriminator, and penalties on the discriminator's gradient."""

from keras import ops

from keras_disentangle._arguments import is_choice
from keras_disentangle._tensors import as_floats, check_same_shape

OBJECTIVES = ("non_saturating", "saturating", "hinge", "wasserstein")
"""The names of the adversarial objectives: see `discriminator_loss` and `generator_loss`."""


def discriminator_loss(objective, real_logits, fake_logits):
    r"""The discriminator's loss, per example.

    With $r$ and $f$ its outputs for a real and a generated image:

    - "non_saturating", "saturating": $-\log\sigma(r) - \log(1 - \sigma(f))$, in nats;
    - "hinge": $\max(0, 1 - r) + \max(0, 1 + f)$;
    - "wasserstein": $f - r$.

    Args:
        objective: one of `OBJECTIVES`.
        real_logits: outputs for real images, tensor (batch,) or (batch, ...): the losses of an
            image's patches are averaged.
        fake_logits: outputs for generated images, tensor of the same shape.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the objective is unknown, the shapes differ or an image has no logit.

    Example:

    >>> kd.losses.discriminator_loss("hinge", np.zeros((1, 1)), np.zeros((1, 1)))   # [2.0]

    Reference: Goodfellow et al., 2014; Miyato et al., 2018 (hinge); Arjovsky et al., 2017.
    """
    _check_objective(objective)
    real, fake = as_floats(real_logits=real_logits, fake_logits=fake_logits)
    check_same_shape("real_logits", real, "fake_logits", fake, rank=max(1, len(real.shape)))
    _check_logits("real_logits", real)
    if objective == "hinge":
        loss = ops.relu(1.0 - real) + ops.relu(1.0 + fake)
    elif objective == "wasserstein":
        loss = fake - real
    else:
        loss = ops.softplus(-real) + ops.softplus(fake)
    return _mean_per_example(loss)


def generator_loss(objective, fake_logits):
    r"""The generator's loss, per example.

    With $f$ the discriminator's output for a generated image:

    - "non_saturating": $-\log\sigma(f)$, in nats;
    - "saturating": $\log(1 - \sigma(f))$, in nats: the minimax game itself;
    - "hinge", "wasserstein": $-f$.

    Args:
        objective: one of `OBJECTIVES`.
        fake_logits: outputs for generated images, tensor (batch,) or (batch, ...): the losses of
            an image's patches are averaged.

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if the objective is unknown, the logits have no batch axis or an image
            has no logit.

    Example:

    >>> kd.losses.generator_loss("non_saturating", np.zeros((1, 1)))   # [log 2]

    Reference: Goodfellow et al., 2014; Miyato et al., 2018 (hinge); Arjovsky et al., 2017.
    """
    _check_objective(objective)
    fake = as_floats(fake_logits=fake_logits)
    _check_logits("fake_logits", fake)
    if objective == "non_saturating":
        loss = ops.softplus(-fake)
    elif objective == "saturating":
        loss = -ops.softplus(fake)
    else:
        loss = -fake
    return _mean_per_example(loss)


def r1_penalty(gradients):
    r"""Half the squared norm of the discriminator's gradient at real images, per example.

    $$\tfrac12 \|\nabla_x D(x)\|_2^2$$

    Args:
        gradients: of the discriminator's output with respect to each image, tensor (batch, ...).

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if `gradients` has no axis but the batch's.

    Example:

    >>> kd.losses.r1_penalty(np.ones((1, 4)))   # [2.0]

    Reference: Mescheder et al., 2018, eq. 9.
    """
    return 0.5 * _squared_norm(gradients)


def wgan_gp_penalty(gradients):
    r"""Squared difference of the discriminator's gradient norm from 1, per example.

    $$(\|\nabla_x D(x)\|_2 - 1)^2$$

    at points between real and generated images. Where the gradient is zero, its derivative is
    defined as 0.

    Args:
        gradients: of the discriminator's output with respect to each image, tensor (batch, ...).

    Returns:
        Tensor (batch,), float32 or wider.

    Raises:
        ValueError: if `gradients` has no axis but the batch's.

    Example:

    >>> kd.losses.wgan_gp_penalty(np.ones((1, 4)))   # [1.0]

    Reference: Gulrajani et al., 2017, eq. 3.
    """
    squared = _squared_norm(gradients)
    # The derivative of a square root at 0 is infinite and would turn into NaN.
    is_zero = ops.equal(squared, 0)
    norm = ops.sqrt(ops.where(is_zero, ops.ones_like(squared), squared))
    return ops.square(ops.where(is_zero, ops.zeros_like(norm), norm) - 1.0)


def _check_objective(objective):
    if not is_choice(objective, OBJECTIVES):
        raise ValueError(
            f"`objective` must be one of {OBJECTIVES}. Received: objective={objective!r}"
        )


def _check_logits(name, logits):
    shape = tuple(logits.shape)
    if not shape or 0 in shape[1:]:
        raise ValueError(
            f"`{name}` must have the shape (batch, ...), with at least one logit for each image. "
            f"Received: {name}.shape={shape}"
        )


def _mean_per_example(x):
    axes = tuple(range(1, len(x.shape)))
    return ops.mean(x, axis=axes) if axes else x


def _squared_norm(gradients):
    gradients = as_floats(gradients=gradients)
    axes = tuple(range(1, len(gradients.shape)))
    if not axes:
        raise ValueError(
            "`gradients` must have the shape (batch, ...). "
            f"Received: gradients.shape={tuple(gradients.shape)}"
        )
    return ops.sum(ops.square(gradients), axis=axes)
