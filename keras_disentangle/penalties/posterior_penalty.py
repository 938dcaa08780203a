"""Penalties of the distribution of a VAE's codes."""

from keras_disentangle.penalties.penalty import Penalty


class PosteriorPenalty(Penalty):
    """Base of the penalties of a posterior q(z|x) and of samples from it.

    A subclass implements `evaluate`; if it gives several parts, their names are in `parts`.

    Attributes:
        needs_log_var: whether it needs the variance of a posterior, which a quantised auto-encoder
            does not have: True unless a subclass sets it.
        batch_statistic: whether the value of an example depends on the others of its batch: False
            unless a subclass sets it. Under several devices it is then evaluated on the global
            batch, and a training batch of a single image is refused.

        ramped: dict from further arguments of `evaluate` to names in `ramps()`, whose present
            values they are.

    Args:
        weight, every, name: as in `Penalty`.

    Example:

    >>> class SecondMoment(kd.penalties.PosteriorPenalty):
    ...     def evaluate(self, z, mean, log_var):
    ...         return ops.sum(ops.square(mean), axis=-1)
    >>> moment = SecondMoment(weight=0.1, name="moment")
    >>> model = kd.models.VAE(encoder, decoder, penalties=[moment])
    """

    parts = ()
    needs_log_var = True
    batch_statistic = False
    ramped = {}

    def evaluate(self, z, mean, log_var):
        """The penalty; a hook.

        Args:
            z: sampled codes, (batch, d), those of all rungs concatenated.
            mean, log_var: parameters of the posterior from which they were sampled, (batch, d). Of
                a quantised auto-encoder, the codes before they are quantised, and `None`.

        Returns:
            Scalar, tensor (batch,), or a dict of these with the keys `parts`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `evaluate`")
