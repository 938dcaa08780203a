"""A VAE whose reconstructions must also match the images in a classifier's feature spaces."""

import keras

from keras_disentangle.models._networks import output_activation, serialize
from keras_disentangle.models.vae import VAE
from keras_disentangle.observations import Observation
from keras_disentangle.penalties import FeatureMatching


@keras.saving.register_keras_serializable("keras_disentangle")
class DiscriminativeVAE(VAE):
    r"""VAE with discriminative regularisation: with the penalty `kd.penalties.FeatureMatching`.

    Gaussian log-likelihoods of a frozen classifier's activations $d_l(x)$, with those of the
    decoder's mean $\mu(z)$ as means, are added to the bound of a VAE, each weighted by a ramp:

    $$-\log p(x|z) + \beta KL(q(z|x) \| p(z)) - \sum_l w_l \log p(d_l(x) | z), \quad
      p(d_l(x) | z) = N(d_l(\mu(z)), \sigma_l^2)$$

    Logged are `features_<layer>` (nats), and for learnt scales their mean `log_std_<layer>`.

    Attributes:
        feature_loss: the `FeatureMatchingLoss`.
        ramps: `feature_weight_<layer>` for each layer, which starts at its weight in
            `feature_loss`, beside those of `VAE`.

    Args:
        encoder: network (batch, h, w, c) to (batch, 2d): mean and log variance, concatenated.
        decoder: network (batch, d) to (batch, h, w, c): means (Gaussian), usually with a sigmoid,
            or logits (Bernoulli).
        feature_loss: `FeatureMatchingLoss` of a frozen classifier.
        encoder_gradient: whether the encoder is trained on the added terms too. If not, the decoder
            runs twice in each step, and the moving statistics of its batch normalisations are
            updated twice.
        beta: weight of the KL term, >= 0; the ramp `beta`.
        observation: `"gaussian"`, `"bernoulli"` or an `Observation`, which has its own scale.
        pixel_scale: how many log sigma of `"gaussian"` observations are learnt: one for each pixel
            and channel (`"full"`, as in the paper), one for each channel (`"channel"`) or a single
            one (`"scalar"`).
        min_log_std: lower bound of these log sigma, a number <= 0, or `None` for none, as in the
            paper: the objective is then unbounded if a pixel is the same in all images.
        seed: integer seed of the latent noise, or `None`.
        **kwargs: `penalties` and `hessian_penalty`, as in `VAE`.

    Raises:
        ValueError: if the networks do not fit each other, images do not fit the classifier, it is
            not frozen, or another argument is out of range; from `fit`, if images are not in the
            classifier's range or a learnt scale diverges (the layer is named).

    Example:

    >>> loss = kd.losses.FeatureMatchingLoss(classifier, ["norm_1", "norm_2"])
    >>> model = DiscriminativeVAE(encoder, decoder, loss)
    >>> model.compile("adam")
    >>> model.fit(images, callbacks=[kd.callbacks.RampWeight("feature_weight_norm_2", 0.1, 1000)])
    >>> model.reestimate_batch_normalization()

    Reference: Lamb et al., 2016 (Discriminative regularization), equations 4 and 5.
    """

    def __init__(
        self,
        encoder,
        decoder,
        feature_loss,
        beta=1.0,
        observation="gaussian",
        encoder_gradient=True,
        pixel_scale="full",
        min_log_std=-4.0,
        seed=None,
        **kwargs,
    ):
        penalty = FeatureMatching(feature_loss, encoder_gradient=encoder_gradient)
        if not isinstance(observation, Observation):
            kwargs |= {"pixel_scale": pixel_scale, "min_log_std": min_log_std}
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        self.feature_loss = feature_loss
        self.encoder_gradient = penalty.encoder_gradient
        self.add_penalties([penalty], given=False)

    @property
    def bounded(self):
        if output_activation(self.decoder) == "sigmoid":
            return "for the decoder's sigmoid"
        return super().bounded

    def get_config(self):
        return {
            **super().get_config(),
            "feature_loss": serialize(self.feature_loss),
            "encoder_gradient": self.encoder_gradient,
        }
