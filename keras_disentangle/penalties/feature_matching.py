"""Feature matching as a term of a VAE's objective."""

import keras
from keras import ops

from keras_disentangle.losses import FeatureMatchingLoss
from keras_disentangle.penalties.reconstruction_penalty import ReconstructionPenalty


@keras.saving.register_keras_serializable("keras_disentangle")
class FeatureMatching(ReconstructionPenalty):
    r"""Discriminative regularisation: matches images and reconstructions in classifier features.

    $$- \sum_l w_l \log p(d_l(x) | z),\quad p(d_l(x) | z) = N(d_l(\mu(z)), \sigma_l^2)$$

    Each layer has a ramp, `feature_weight_<layer>`, which begins at its weight in `feature_loss`,
    and is logged as `features_<layer>` (nats, without the weight). For learnt scales, their mean is
    logged as `log_std_<layer>`.

    Args:
        feature_loss: the `FeatureMatchingLoss` of a frozen classifier.
        every, encoder_gradient: as in `ReconstructionPenalty`.

    Raises:
        ValueError: if `feature_loss` is not a `FeatureMatchingLoss`; by the model, if its images do
            not fit the classifier; in training, if a learnt scale diverges (the layer is named).

    Example:

    >>> loss = kd.losses.FeatureMatchingLoss(classifier, ["norm_1", "norm_2"])
    >>> model = kd.models.VAE(encoder, decoder, penalties=[kd.penalties.FeatureMatching(loss)])

    Reference: Lamb et al., 2016 (Discriminative regularization), equations 4 and 5.
    """

    def __init__(self, feature_loss, every=1, encoder_gradient=True):
        super().__init__(None, every, "features", encoder_gradient)
        if not isinstance(feature_loss, FeatureMatchingLoss):
            raise ValueError(
                "`feature_loss` must be a `FeatureMatchingLoss`. "
                f"Received: feature_loss={feature_loss}"
            )
        self.feature_loss = feature_loss
        self.layers = [feature_loss]
        self.parts = tuple(feature_loss.layer_weights)
        is_fixed = feature_loss.scale == "fixed"
        self.state_names = () if is_fixed else tuple(f"log_std_{name}" for name in self.parts)

    @property
    def bounded(self):
        is_named = isinstance(self.feature_loss.feature_model.preprocessing, str)
        return "for the classifier" if is_named else None

    def build(self, image_shape):
        shape = (None, *image_shape)
        if not self.feature_loss.built:
            self.feature_loss.build(shape)
        self.feature_loss.check_shape(shape)

    def ramps(self):
        weights = self.feature_loss.layer_weights
        return {f"feature_weight_{name}": weight for name, weight in weights.items()}

    def terms(self, parts):
        return {f"features_{part}": f"feature_weight_{part}" for part in parts}

    def values(self, found):
        return {f"features_{part}": value for part, value in found.items()}

    def evaluate(self, x, reconstruction):
        return self.feature_loss.per_layer(x, reconstruction)

    def states(self):
        names = zip(self.state_names, self.parts, strict=False)
        return {state: ops.mean(self.feature_loss.log_std(name)) for state, name in names}

    def check(self):
        self.feature_loss.check_log_std()

    def get_config(self):
        return {
            "feature_loss": keras.saving.serialize_keras_object(self.feature_loss),
            "every": self.every,
            "encoder_gradient": self.encoder_gradient,
        }
