"""Total correlation, mutual information and dimension-wise KL as terms of an objective."""

import keras

from keras_disentangle._arguments import check_choice, check_int, check_weight
from keras_disentangle.losses.decomposed_kl import ESTIMATORS, decomposed_kl
from keras_disentangle.penalties.posterior_penalty import PosteriorPenalty


@keras.saving.register_keras_serializable("keras_disentangle")
class TotalCorrelation(PosteriorPenalty):
    r"""The total correlation of the codes: how far their dimensions are from independent.

    $$\log\frac{q(z)}{\prod_j q(z_j)}$$

    as `kd.losses.decomposed_kl` estimates it from a batch, under several devices from the global
    one. With it, mutual information and dimension-wise KL are logged, `mutual_information` and
    `dimension_wise_kl`, and may be weighted too. The three sum up to the model's KL term, so

    $$\alpha\, I(x; z) + \beta\, TC(z) + \gamma \sum_j KL(q(z_j) \Vert p(z_j))$$

    takes the place of that term if its `beta` is the smallest of the three numbers, and the
    weights here are what the others have more. (With an estimate that is biased by the size of the
    batch, as the mutual information is, leave to the model's closed form what it can bear.)

    Each weight is a ramp: `<name>_weight`, `mutual_information_weight`, `dimension_wise_kl_weight`.

    Args:
        weight, every, name: as in `Penalty`.
        dataset_size, estimator: as in `kd.losses.decomposed_kl`.
        mutual_information_weight, dimension_wise_kl_weight: initial weights of these, >= 0.

    Raises:
        ValueError: if an argument is out of range; in use, for a batch of one image, or one
            that is larger than `dataset_size`.

    Example:

    >>> penalty = kd.penalties.TotalCorrelation(weight=5.0)
    >>> model = kd.models.VAE(encoder, decoder, penalties=[penalty])  # a beta-TCVAE, beta = 6

    Reference: Chen et al., 2018 (Isolating sources of disentanglement in VAEs).
    """

    batch_statistic = True
    parts = ("mutual_information", "dimension_wise_kl")

    def __init__(
        self,
        weight=1.0,
        every=1,
        dataset_size=None,
        estimator="weighted",
        mutual_information_weight=0.0,
        dimension_wise_kl_weight=0.0,
        name="total_correlation",
    ):
        super().__init__(weight, every, name)
        self.dataset_size = (
            None if dataset_size is None else check_int("dataset_size", dataset_size, minimum=2)
        )
        self.estimator = check_choice("estimator", estimator, ESTIMATORS)
        self.further_weights = {
            "mutual_information_weight": mutual_information_weight,
            "dimension_wise_kl_weight": dimension_wise_kl_weight,
        }
        for argument, value in self.further_weights.items():
            self.further_weights[argument] = check_weight(argument, value)

    def ramps(self):
        return {**super().ramps(), **self.further_weights}

    def terms(self, parts):
        return {**super().terms(()), **{part: f"{part}_weight" for part in parts}}

    def values(self, found):
        return found

    def evaluate(self, z, mean, log_var):
        information, correlation, rest = decomposed_kl(
            z, mean, log_var, self.dataset_size, self.estimator
        )
        return {
            self.term: correlation,
            "mutual_information": information,
            "dimension_wise_kl": rest,
        }

    def get_config(self):
        return {
            **super().get_config(),
            "dataset_size": self.dataset_size,
            "estimator": self.estimator,
            **self.further_weights,
        }
