"""Factorised support as a term of an objective."""

import keras

from keras_disentangle._arguments import check_choice, check_int
from keras_disentangle.losses.factorized_support import factorized_support
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty

OF = ("mean", "sample")


@keras.saving.register_keras_serializable("keras_disentangle")
class FactorizedSupport(PosteriorPenalty):
    r"""Hausdorff distance of the codes' support from the product of its dimensions' supports.

    $$\sum_{i < j} \max_{a \in Z_i \times Z_j} \min_{b \in Z_{ij}} \lVert a - b \rVert^2$$

    over a batch, under several devices the global one (see `kd.losses.factorized_support`). It asks
    less than independence: that each value of one dimension can occur with each value of another
    one. So it suits data with correlated factors.

    Args:
        weight, every, name: as in `Penalty`. The authors tried weights from 0.1 to 10,000.
        num_shifts: as in `kd.losses.factorized_support`: 2 for twice as many combinations as there
            are codes in the batch, `None` for all; a smaller batch has as many as it permits. The
            batches must be shuffled.
        of: `"mean"` for the posteriors' means, as the authors do, or `"sample"`.

    Raises:
        ValueError: if an argument is out of range; in use, for a batch of one image.

    Example:

    >>> penalty = kd.penalties.FactorizedSupport(weight=10.0)
    >>> model = kd.models.VAE(encoder, decoder, penalties=[penalty])

    Reference: Roth et al., 2023 (Disentanglement of correlated factors via Hausdorff factorized
    support).
    """

    needs_log_var = False
    batch_statistic = True

    def __init__(self, weight=1.0, every=1, num_shifts=2, of="mean", name="factorized_support"):
        super().__init__(weight, every, name)
        self.num_shifts = None if num_shifts is None else check_int("num_shifts", num_shifts)
        self.of = check_choice("of", of, OF)

    def evaluate(self, z, mean, log_var):
        codes, shifts = mean if self.of == "mean" else z, self.num_shifts
        if shifts is not None and codes.shape[0] is not None:  # The last batch may be a small one.
            shifts = min(shifts, max(1, codes.shape[0] - 1))
        return factorized_support(codes, shifts)

    def get_config(self):
        return {**super().get_config(), "num_shifts": self.num_shifts, "of": self.of}
