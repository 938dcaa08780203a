"""The Hessian Penalty as a term of a model's objective."""

import keras

from keras_disentangle.losses.hessian_penalty import penalties, signs_and_normals
from keras_disentangle.losses.hessian_penalty_loss import num_copies
from keras_disentangle.penalties._along_directions import PenaltyAlongDirections


@keras.saving.register_keras_serializable("keras_disentangle")
class HessianPenalty(PenaltyAlongDirections):
    r"""The Hessian Penalty of a generator's layers: latent directions act independently.

    $$\max_i \operatorname{Var}_v (v^T H_i v)$$

    over the activations i of each layer, with the Hessian $H_i$ of activation i with respect to the
    codes (see `kd.losses.hessian_penalty`), summed over the layers. Logged are the sum,
    `<name>_penalty`, and for each named layer `<name>_penalty_<layer>`.

    Args:
        outputs: as in `GeneratorPenalty`; `kd.losses.HessianPenaltyLoss` explains which to choose.
        weight, every: as in `Penalty`.
        num_directions, epsilon, method, unbiased, one_pass: as in `kd.losses.hessian_penalty`.
        reduction: `"max"` or `"mean"`.
        normalized: whether it is the share of the squares off the diagonal, which does not depend
            on the scale of codes or activations, as in `kd.losses.hessian_penalty`. The encoder of
            an auto-encoder is then trained on it too, and a batch must have at least two images.
        name: as in `Penalty`.

    Raises:
        ValueError: if an argument is out of range; by the model, if `outputs` are not layers of its
            generator, or, in training, if layers do not permit `one_pass`.

    Example:

    >>> penalty = kd.penalties.HessianPenalty(weight=0.1, every=4)
    >>> model = kd.models.GAN(generator, discriminator, penalties=[penalty])

    References: Peebles et al., 2020 (The Hessian Penalty), eq. 4, 5 and 7; Hsu et al., 2024
    (Tripod) for the normalised penalty.
    """

    def __init__(
        self,
        outputs=None,
        weight=1.0,
        every=1,
        num_directions=2,
        epsilon=0.1,
        reduction="max",
        method="finite_difference",
        unbiased=True,
        one_pass=False,
        normalized=False,
        name="hessian",
    ):
        super().__init__(
            outputs,
            weight,
            every,
            name,
            num_directions=num_directions,
            epsilon=epsilon,
            reduction=reduction,
            method=method,
            unbiased=unbiased,
            one_pass=one_pass,
            normalized=normalized,
        )

    @property
    def copies(self):
        return num_copies(self.settings)

    @property
    def scale_free(self):
        return self.settings["normalized"]

    code_gradient = batch_statistic = scale_free

    def draw(self, shape, seed):
        if not self.settings["normalized"]:
            return super().draw(shape, seed)
        return signs_and_normals(shape, 2 * self.num_directions, seed)

    def evaluate(self, fn, z, directions):
        return penalties(fn, z, directions=directions, seed=None, **self.settings)
