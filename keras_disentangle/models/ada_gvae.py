"""Ada-GVAE: a VAE of pairs of images, whose posteriors share what did not change."""

import keras

from keras_disentangle._arguments import check_flag
from keras_disentangle.losses import adaptive_posteriors
from keras_disentangle.models._paired import Paired, halves, joined
from keras_disentangle.models.vae import VAE


@keras.saving.register_keras_serializable("keras_disentangle")
class AdaGVAE(Paired, VAE):
    r"""VAE for pairs of images that differ in a few factors; which ones is not known.

    Dimensions in which the posteriors of a pair differ least share an average of the two, the mean
    of means and of variances, as in `kd.losses.adaptive_posteriors`. The objective is the bound of
    a beta-VAE with these posteriors, the mean over both images:

    $$\tfrac12 \sum_{i=1,2} [-\log p(x_i|z_i) + \beta KL(\tilde q(z_i|x_1, x_2) \| p(z))]$$

    `fit` and `evaluate` take pairs, (n, 2, h, w, c), as `FactorDataset.pairs` gives them. To the
    outside the model is a `VAE`: `encode`, `decode`, `predict` and the callbacks take images.

    Args:
        encoder, decoder, beta, observation, seed: as in `VAE`; published values of `beta` are 1 to
            16, with Bernoulli observations of 64×64 pixels.
        symmetric: as in `adaptive_posteriors`; the paper's divergence is not symmetric.
        **kwargs: as in `VAE`, but for `labels`.

    Raises:
        ValueError: as `VAE`; from `fit` and `evaluate`, if they are given images, not pairs.

    Example:

    >>> model = AdaGVAE(encoder, decoder, beta=4.0)
    >>> model.compile("adam")
    >>> data = kd.datasets.DSprites(image_size=28)
    >>> model.fit(data.pairs(8, seed=0, num_changed=1, steps_per_epoch=2))
    >>> mean, log_var = model.encode(data.images([0, 1]) / 255.0)

    Reference: Locatello et al., 2020 (Weakly-supervised disentanglement without compromises),
    section 4.
    """

    average = "group"

    def __init__(
        self,
        encoder,
        decoder,
        beta=1.0,
        observation="bernoulli",
        symmetric=False,
        seed=None,
        **kwargs,
    ):
        symmetric = check_flag("symmetric", symmetric)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        self.symmetric = symmetric

    def pair_up(self, mean, log_var):
        parts = (part for pair in zip(halves(mean), halves(log_var), strict=True) for part in pair)
        first, second = adaptive_posteriors(*parts, self.average, self.symmetric)
        return tuple(joined(a, b) for a, b in zip(first, second, strict=True))

    def get_config(self):
        return {**super().get_config(), "symmetric": self.symmetric}
