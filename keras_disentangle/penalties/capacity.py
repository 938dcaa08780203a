"""Controlled capacity as a term of an objective."""

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle.losses.divergence import gaussian_kl
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty


@keras.saving.register_keras_serializable("keras_disentangle")
class Capacity(PosteriorPenalty):
    r"""How far the KL term is from a capacity C, in nats, which a ramp raises while training.

    $$\left| \operatorname{E}_x KL(q(z|x) \Vert p(z)) - C \right|$$

    with the mean over the batch, under several devices the global one: examples may differ, as long
    as their mean is C. It takes the place of the KL term, whose `beta` is 0 then. It is logged as
    `<name>_gap`, and C, the ramp `<name>`, under its name.

    Args:
        weight, every, name: as in `Penalty`.
        capacity: initial value of C in nats, >= 0.

    Raises:
        ValueError: if an argument is out of range; in use, for a batch of one image.

    Example:

    >>> penalty = kd.penalties.Capacity(weight=1000.0)
    >>> model = kd.models.VAE(encoder, decoder, beta=0.0, penalties=[penalty])
    >>> ramp = kd.callbacks.RampWeight("capacity", 25.0, steps=100_000)

    Reference: Burgess et al., 2018 (Understanding disentangling in beta-VAE).
    """

    batch_statistic = True

    def __init__(self, weight=1000.0, every=1, capacity=0.0, name="capacity"):
        super().__init__(weight, every, name)
        self.capacity = check_weight("capacity", capacity)

    @property
    def term(self):
        return f"{self.name}_gap"

    @property
    def ramped(self):
        return {"capacity": self.name}

    def ramps(self):
        return {**super().ramps(), self.name: self.capacity}

    def evaluate(self, z, mean, log_var, capacity):
        return ops.abs(ops.mean(gaussian_kl(mean, log_var)) - capacity)

    def get_config(self):
        return {**super().get_config(), "capacity": self.capacity}
