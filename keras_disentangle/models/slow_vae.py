"""SlowVAE: a VAE of neighbouring frames, whose codes move rarely and little."""

import keras

from keras_disentangle._arguments import check_number, check_weight
from keras_disentangle.losses import laplace_kl
from keras_disentangle.models._paired import Paired, halves, joined
from keras_disentangle.models.vae import VAE


@keras.saving.register_keras_serializable("keras_disentangle")
class SlowVAE(Paired, VAE):
    r"""VAE of pairs of neighbouring frames, with a sparse prior on what changes between them.

    Given one frame's code, that of the other has a Laplace prior around it, of rate $\lambda$. Of
    both directions of time, the mean over the two frames (j is the other one of i):

    $$\tfrac12 \sum_{i=1,2} [-\log p(x_i|z_i) + \tfrac\beta2 KL(q(z_i|x_i) \| N(0, I))
      + \tfrac\gamma2 KL(q(z_i|x_i) \| \mathrm{Laplace}(\mu_j, \lambda))]$$

    The halves are those of a pair's bound, in which each divergence counts for one frame and the
    likelihoods for both. `kl_laplace` is logged in nats per frame. The prior is centred on the
    other posterior's mean, as in the published code, not on a sample.

    Departures from the publication: its code subtracts half of the entropies of the Laplace terms,
    which are then no divergences. Its objective is that of this class with twice the rate, up to a
    factor of 2 and a constant: take `rate=12` to follow the code, 6 to follow the equations.

    `fit` and `evaluate` take pairs, (n, 2, h, w, c), as `FactorDataset.transitions` gives them. To
    the outside the model is a `VAE`: `encode`, `decode`, `predict` and the callbacks take images.

    Args:
        encoder, decoder, observation, seed: as in `VAE`.
        beta: weight of the divergence from the standard normal, >= 0: the ramp `beta`.
        gamma: weight of the divergence from the Laplace prior, >= 0: the ramp `gamma`.
        rate: $\lambda$, a positive number.
        **kwargs: as in `VAE`, but for `labels`.

    Raises:
        ValueError: as `VAE`; from `fit` and `evaluate`, if they are given images, not pairs.

    Example:

    >>> model = SlowVAE(encoder, decoder)
    >>> model.compile("adam")
    >>> data = kd.datasets.DSprites(image_size=28)
    >>> model.fit(data.transitions(8, seed=0, fixed="shape", steps_per_epoch=2))

    Reference: Klindt et al., 2021 (Towards nonlinear disentanglement in natural data with temporal
    sparse coding).
    """

    def __init__(
        self,
        encoder,
        decoder,
        beta=1.0,
        gamma=10.0,
        rate=6.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        gamma = check_weight("gamma", gamma)
        rate = check_number("rate", rate, above=0)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        self.gamma = gamma
        self.rate = rate
        self.add_ramp("gamma", gamma)
        self.add_terms("kl_laplace")

    def kl_weights(self, beta):
        return [0.5 * beta]

    def further_terms(self, x, outputs, training):
        mean, log_var = outputs["mean"], outputs["log_var"]
        first, second = halves(mean)
        value = laplace_kl(mean, log_var, joined(second, first), self.rate)
        return {"kl_laplace": (0.5 * self.ramps["gamma"](self.step), value)}

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "rate": self.rate}
