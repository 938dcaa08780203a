"""The dependence between latent dimensions of codes as a term of an objective."""

import keras

from keras_disentangle._arguments import check_choice
from keras_disentangle.losses.kernel_multi_information import MARGINALS, kernel_multi_information
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty


@keras.saving.register_keras_serializable("keras_disentangle")
class KernelMultiInformation(PosteriorPenalty):
    r"""Multiinformation (total correlation) of the codes of a batch, by kernel densities.

    $$\log \hat q(z) - \sum_j \log \hat q_j(z_j)$$

    of the sampled codes of a VAE, or of the quantised ones of an auto-encoder, whose standard
    deviations are then those before they are quantised (see `kd.losses.kernel_multi_information`).
    It depends on the size of the batch, and under several devices on the global one.

    Args:
        weight, every, name: as in `Penalty`; Tripod's weights are of the mean over pixels.
        marginal_bandwidth: `"scale"` or `"silverman"`, as in
            `kd.losses.kernel_multi_information`.

    Raises:
        ValueError: if an argument is out of range; in use, for a batch of one image.

    Example:

    >>> penalty = kd.penalties.KernelMultiInformation(weight=0.1)
    >>> model = kd.models.VAE(encoder, decoder, penalties=[penalty])

    Reference: Hsu et al., 2024 (Tripod), kernel-based latent multiinformation.
    """

    needs_log_var = False
    batch_statistic = True

    def __init__(
        self, weight=1.0, every=1, marginal_bandwidth="scale", name="kernel_multi_information"
    ):
        super().__init__(weight, every, name)
        self.marginal_bandwidth = check_choice("marginal_bandwidth", marginal_bandwidth, MARGINALS)

    def evaluate(self, z, mean, log_var):
        continuous = mean if log_var is None else z
        return kernel_multi_information(z, continuous, self.marginal_bandwidth)

    def get_config(self):
        return {**super().get_config(), "marginal_bandwidth": self.marginal_bandwidth}
