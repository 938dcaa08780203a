"""The base of the penalties that compare random directions: a variance over them."""

from keras_disentangle._arguments import is_choice
from keras_disentangle.losses.hessian_penalty import REDUCTIONS, check_settings
from keras_disentangle.losses.hessian_penalty_loss import check_layers
from keras_disentangle.penalties.generator_penalty import GeneratorPenalty


class PenaltyAlongDirections(GeneratorPenalty):
    """Base of `HessianPenalty` and `OrthogonalJacobian`: their settings and checks.

    Args:
        outputs, weight, every, name: as in `GeneratorPenalty`.
        **settings: keywords of `kd.losses.hessian_penalty`, with `reduction` by its name.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(self, outputs, weight, every, name, **settings):
        reduction = settings["reduction"]
        if not is_choice(reduction, REDUCTIONS):
            raise ValueError(
                f"`reduction` must be one of {tuple(REDUCTIONS)}. Received: reduction={reduction!r}"
            )
        check_settings(**settings)
        self.settings = settings
        self.num_directions = settings["num_directions"]
        super().__init__(outputs, weight, every, name)

    @property
    def term(self):
        return f"{self.name}_penalty"

    @property
    def batch_maximum(self):
        return self.settings["reduction"] == "max" and not self.settings.get("normalized", False)

    def check_layers(self, layers, training):
        check_layers(layers, one_pass=self.settings["one_pass"], training=training)

    def get_config(self):
        return {**super().get_config(), **self.settings}
