"""The VAE with controlled capacity."""

import keras

from keras_disentangle.models.vae import VAE
from keras_disentangle.penalties import Capacity


@keras.saving.register_keras_serializable("keras_disentangle")
class AnnealedVAE(VAE):
    r"""VAE whose codes shall carry a given number of nats, which a ramp raises while training.

    $$\operatorname{E}[-\log p(x|z)]
      + \gamma \left| \operatorname{E}_x KL(q(z|x) \Vert p(z)) - C \right|$$

    with the mean over the batch, in place of a weight of the KL term. It is the penalty
    `kd.penalties.Capacity`, logged as `capacity_gap`, with the ramps `capacity` and
    `capacity_weight`.

    Args:
        encoder, decoder, observation, seed, **kwargs: as in `VAE`.
        gamma: weight of the distance, >= 0. It is large enough if the KL term stays within about
            one nat of C.
        capacity: initial value of C in nats, >= 0.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range; in
            use, for a batch of one image.

    Example:

    >>> model = AnnealedVAE(encoder, decoder, gamma=1000.0)
    >>> ramp = kd.callbacks.RampWeight("capacity", 25.0, steps=100_000)

    Reference: Burgess et al., 2018 (Understanding disentangling in beta-VAE).
    """

    def __init__(
        self,
        encoder,
        decoder,
        gamma=1000.0,
        capacity=0.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        penalty = Capacity(gamma, capacity=capacity)
        # The KL term is logged, without a weight of its own.
        super().__init__(encoder, decoder, beta=0.0, observation=observation, seed=seed, **kwargs)
        self.add_penalties([penalty], given=False)
        self.gamma, self.capacity = penalty.weight, penalty.capacity

    def get_config(self):
        config = super().get_config()
        del config["beta"]
        return {**config, "gamma": self.gamma, "capacity": self.capacity}
