"""Disentangled inferred priors as a term of an objective."""

import keras

from keras_disentangle._arguments import check_choice, check_weight
from keras_disentangle.losses.dip import KINDS, dip
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty


@keras.saving.register_keras_serializable("keras_disentangle")
class DIP(PosteriorPenalty):
    r"""How far the covariance of the codes is from the identity (DIP-VAE).

    $$\sum_{i \ne j} C_{ij}^2 + w \sum_i (C_{ii} - 1)^2$$

    over a batch, under several devices the global one (see `kd.losses.dip`). The weight of the
    penalty is that of the off-diagonal entries.

    Args:
        weight, every, name: as in `Penalty`. Locatello et al. (2019) tried 1, 2, 5, 10, 20, 50.
        kind, diagonal_weight: as in `kd.losses.dip`.

    Raises:
        ValueError: if an argument is out of range; in use, for a batch of one image.

    Example:

    >>> penalty = kd.penalties.DIP(weight=10.0, kind="ii")
    >>> model = kd.models.VAE(encoder, decoder, penalties=[penalty])

    Reference: Kumar et al., 2018 (Variational inference of disentangled latent concepts from
    unlabeled observations), equations 6 and 7.
    """

    batch_statistic = True

    def __init__(self, weight=1.0, every=1, kind="i", diagonal_weight=None, name="dip"):
        super().__init__(weight, every, name)
        self.kind = check_choice("kind", kind, KINDS)
        self.diagonal_weight = (
            None if diagonal_weight is None else check_weight("diagonal_weight", diagonal_weight)
        )

    def evaluate(self, z, mean, log_var):
        return dip(mean, log_var, self.kind, self.diagonal_weight)

    def get_config(self):
        return {
            **super().get_config(),
            "kind": self.kind,
            "diagonal_weight": self.diagonal_weight,
        }
