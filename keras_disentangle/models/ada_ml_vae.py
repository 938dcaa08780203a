"""Ada-ML-VAE: as Ada-GVAE, with the average of the multi-level VAE."""

import keras

from keras_disentangle.models.ada_gvae import AdaGVAE


@keras.saving.register_keras_serializable("keras_disentangle")
class AdaMLVAE(AdaGVAE):
    """An `AdaGVAE` whose posteriors are averaged as in ML-VAE, by their precisions.

    What a pair shares has the harmonic mean of the two variances, and the mean of the means,
    weighted by the inverse variances. All else, also arguments and errors, is as in `AdaGVAE`.

    Example:

    >>> model = AdaMLVAE(encoder, decoder, beta=4.0)
    >>> model.compile("adam")
    >>> data = kd.datasets.DSprites(image_size=28)
    >>> model.fit(data.pairs(8, seed=0, num_changed=None, steps_per_epoch=2))

    Reference: Locatello et al., 2020 (Weakly-supervised disentanglement without compromises),
    section 4; Bouchacourt et al., 2018 (the average).
    """

    average = "multi_level"
