"""Penalties of a VAE's reconstructions."""

from keras_disentangle._arguments import check_flag
from keras_disentangle.penalties.penalty import Penalty


class ReconstructionPenalty(Penalty):
    """Base of the penalties of images and their reconstructions.

    A subclass implements `evaluate`; if it gives several parts, their names are in `parts`.

    Attributes:
        parts: names of the parts.
        bounded: the reason, used in errors, why images must lie in [0, 1]; `None` if they need not.

    Args:
        weight, every, name: as in `Penalty`.
        encoder_gradient: whether the encoder is trained on it too. If not, the decoder runs twice
            in each step, and the moving statistics of its batch normalisations are updated twice.

    Example:

    >>> class Edges(kd.penalties.ReconstructionPenalty):
    ...     def evaluate(self, x, reconstruction):
    ...         error = x - reconstruction
    ...         return ops.sum(ops.square(error[:, 1:] - error[:, :-1]), axis=(1, 2, 3))
    >>> model = kd.models.VAE(encoder, decoder, penalties=[Edges(name="edges")])
    """

    parts = ()
    bounded = None

    def __init__(self, weight=1.0, every=1, name="reconstruction_penalty", encoder_gradient=True):
        super().__init__(weight, every, name)
        self.encoder_gradient = check_flag("encoder_gradient", encoder_gradient)

    def build(self, image_shape):
        """Builds its layers for images (h, w, c), or raises a ValueError; a hook."""

    def evaluate(self, x, reconstruction):
        """The penalty; a hook.

        Args:
            x: images (batch, h, w, c).
            reconstruction: decoded images of their codes, in the same range.

        Returns:
            Scalar, tensor (batch,), or a dict of these with the keys `parts`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `evaluate`")

    def get_config(self):
        return {**super().get_config(), "encoder_gradient": self.encoder_gradient}
