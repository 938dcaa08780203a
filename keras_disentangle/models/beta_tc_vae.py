"""The beta-TCVAE."""

import keras

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.losses.decomposed_kl import ESTIMATORS, decomposed_kl
from keras_disentangle.models.vae import VAE


@keras.saving.register_keras_serializable("keras_disentangle")
class BetaTCVAE(VAE):
    r"""VAE with a weight of the total correlation alone, the part of the KL term that entangles.

    $$\operatorname{E}[-\log p(x|z)] + KL(q(z|x) \Vert p(z)) + (\beta - 1)\, TC(z)$$

    The total correlation is estimated from the batch, under several devices from the global one
    (see `kd.losses.decomposed_kl`), and logged as `total_correlation` with the two other parts of
    the KL term, `mutual_information` and `dimension_wise_kl`. For other weights of these,
    `kd.penalties.TotalCorrelation` goes into any VAE.

    Args:
        encoder, decoder, observation, seed, **kwargs: as in `VAE`.
        beta: weight of the total correlation, >= 0; the ramp `beta`.
        dataset_size, estimator: as in `kd.losses.decomposed_kl`.

    Raises:
        ValueError: if the networks do not fit each other, or another argument is out of range; in
            use, for a batch of one image, or one that is larger than `dataset_size`.

    Example:

    >>> model = BetaTCVAE(encoder, decoder, beta=6.0)
    >>> model.compile(keras.optimizers.Adam(5e-4))

    Reference: Chen et al., 2018 (Isolating sources of disentanglement in VAEs).
    """

    batch_statistic = "the total correlation is a statistic of the batch"

    def __init__(
        self,
        encoder,
        decoder,
        beta=6.0,
        dataset_size=None,
        estimator="weighted",
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        self.estimator = check_choice("estimator", estimator, ESTIMATORS)
        self.dataset_size = (
            None if dataset_size is None else check_int("dataset_size", dataset_size, minimum=2)
        )
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        self.add_terms("total_correlation", "mutual_information", "dimension_wise_kl")

    def kl_weights(self, beta):
        return [1.0]

    def further_terms(self, x, outputs, training):
        def parts(z, mean, log_var):
            return decomposed_kl(z, mean, log_var, self.dataset_size, self.estimator)

        codes = (outputs[name] for name in ("code", "mean", "log_var"))
        information, correlation, rest = self.on_global_batch(parts, *codes)()
        return {
            "total_correlation": (self.ramps["beta"](self.step) - 1, correlation),
            "mutual_information": (0.0, information),
            "dimension_wise_kl": (0.0, rest),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "dataset_size": self.dataset_size,
            "estimator": self.estimator,
        }
