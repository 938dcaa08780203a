"""The Orthogonal Jacobian regularization as a term of a model's objective."""

import keras

from keras_disentangle.losses.orthogonal_jacobian import jacobian_penalties
from keras_disentangle.penalties._along_directions import PenaltyAlongDirections


@keras.saving.register_keras_serializable("keras_disentangle")
class OrthogonalJacobian(PenaltyAlongDirections):
    r"""OroJaR of a generator's layers: latent dimensions cause orthogonal changes.

    $$\max_n \operatorname{Var}_v |J_n v|^2$$

    over the examples n of the batch, with the Jacobian $J_n$ of a layer's activations with respect
    to the code (see `kd.losses.orthogonal_jacobian`), summed over the layers. Logged are the sum,
    `<name>_penalty`, and for each named layer `<name>_penalty_<layer>`.

    Args:
        outputs: as in `GeneratorPenalty`.
        weight, every: as in `Penalty`. Published weights are from 1e-6 to 1e-4 for images of 128
            pixels a side, and 1e-11 for a small network without normalisation.
        num_directions, epsilon, method, unbiased, one_pass: as in `kd.losses.orthogonal_jacobian`.
        reduction: `"max"` or `"mean"`, over the batch.
        name: as in `Penalty`.

    Raises:
        ValueError: as `kd.penalties.HessianPenalty`.

    Example:

    >>> penalty = kd.penalties.OrthogonalJacobian(weight=1e-4, every=4)
    >>> model = kd.models.GAN(generator, discriminator, penalties=[penalty])

    Reference: Wei et al., 2021 (Orthogonal Jacobian Regularization for Unsupervised Disentanglement
    in Image Generation).
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
        name="jacobian",
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
        )

    @property
    def copies(self):
        return self.num_directions + 1 if self.settings["one_pass"] else 1

    def evaluate(self, fn, z, directions):
        return jacobian_penalties(fn, z, directions=directions, seed=None, **self.settings)
