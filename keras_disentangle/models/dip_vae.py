"""The DIP-VAE, I and II."""

import keras

from keras_disentangle.models.vae import VAE
from keras_disentangle.penalties import DIP


@keras.saving.register_keras_serializable("keras_disentangle")
class DIPVAE(VAE):
    r"""VAE whose codes shall have the covariance of their prior, the identity.

    $$\operatorname{E}[-\log p(x|z)] + \beta\, KL(q(z|x) \Vert p(z))
      + \lambda_{od} \sum_{i \ne j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2$$

    with the covariance of the posteriors' means for DIP-VAE-I, and of the codes for DIP-VAE-II,
    over the batch (see `kd.losses.dip`). It is the penalty `kd.penalties.DIP`, logged as `dip`,
    with the ramp `dip_weight`.

    Args:
        encoder, decoder, beta, observation, seed, **kwargs: as in `VAE`.
        weight: $\lambda_{od}$, >= 0.
        kind: `"i"` or `"ii"`.
        diagonal_weight: $\lambda_d / \lambda_{od}$, by default 10 for I and 1 for II.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range; in
            use, for a batch of one image.

    Example:

    >>> model = DIPVAE(encoder, decoder, weight=10.0, kind="ii")

    Reference: Kumar et al., 2018 (Variational inference of disentangled latent concepts from
    unlabeled observations), equations 6 and 7.
    """

    def __init__(
        self,
        encoder,
        decoder,
        weight=10.0,
        kind="i",
        diagonal_weight=None,
        beta=1.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        penalty = DIP(weight, kind=kind, diagonal_weight=diagonal_weight)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        self.add_penalties([penalty], given=False)
        self.dip = penalty

    def get_config(self):
        of_penalty = self.dip.get_config()
        own = {name: of_penalty[name] for name in ("weight", "kind", "diagonal_weight")}
        return {**super().get_config(), **own}
