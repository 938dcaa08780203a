"""The base of all penalties: a name, a weight that is a ramp, and logged terms."""

import re

import keras

from keras_disentangle._arguments import check_int, check_weight


class Penalty:
    r"""Base of the penalties: terms that a model adds to the objective that it minimises.

    A penalty is of one of three kinds, each a subclass: of a generator (`GeneratorPenalty`), of a
    posterior (`PosteriorPenalty`) or of a reconstruction (`ReconstructionPenalty`). A model that is
    made with it (`penalties=[...]`) evaluates it in the compiled step and adds it, times the ramp
    `model.ramps["<name>_weight"]`, to its objective. A penalty without `layers` holds only
    settings, so several models may share it. The value is logged as `term`; if there are several
    parts, such as layers of a network, it is their sum, and each part is also logged as
    `<term>_<part>`.

    With `every=n` it is evaluated only in the steps 0, n, 2n, ..., with n times its weight: the
    mean gradient over n steps stays about the same, and the cost is divided by n. The logs show the
    mean over the steps in which it was evaluated. Outside of training it is always evaluated.

    Attributes:
        term: the name of its value in the logs; `name` unless a subclass overrides it.
        layers: layers that are trained or saved with the model.
        state_names: the names under which the results of `states` are logged.

    Args:
        weight: initial value of the ramp `<name>_weight`, >= 0; `None` for a weight of 1 without a
            ramp.
        every: n, the number of steps between two evaluations, >= 1.
        name: name of the penalty: letters, digits and underscores.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> penalty = kd.penalties.HessianPenalty(weight=0.1, every=4)
    >>> penalty.ramps(), penalty.terms(["norm_1"])
    ({'hessian_weight': 0.1}, {'hessian_penalty': 'hessian_weight', 'hessian_penalty_norm_1': None})

    Reference: Karras et al., 2020 (StyleGAN2), appendix B, for `every`.
    """

    layers = ()
    state_names = ()

    def __init__(self, weight=1.0, every=1, name="penalty"):
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            raise ValueError(
                "`name` must be a string of letters, digits and underscores. "
                f"Received: name={name!r}"
            )
        self.name = name
        self.weight = None if weight is None else check_weight("weight", weight)
        self.every = check_int("every", every)

    @property
    def term(self):
        return self.name

    def ramps(self):
        """The initial values of the ramps of its weights: a dict from their names to numbers."""
        return {} if self.weight is None else {f"{self.name}_weight": self.weight}

    def terms(self, parts):
        """The logged terms, and the ramp of each term's weight: a dict from name to name.

        Instead of a ramp there is `True` for a term of the objective without a ramp, and `None` for
        a term that is only logged.

        Args:
            parts: the names of the parts.
        """
        ramp = True if self.weight is None else f"{self.name}_weight"
        return {self.term: ramp, **{f"{self.term}_{part}": None for part in parts}}

    def values(self, found):
        """The values of these terms, as a dict.

        Args:
            found: the result of an evaluation: a tensor, or a dict from parts to tensors.
        """
        if not isinstance(found, dict):
            return {self.term: found}
        return {self.term: sum(found.values()), **{f"{self.term}_{k}": v for k, v in found.items()}}

    def states(self):
        """Further present values to log: a dict from `state_names` to scalars."""
        return {}

    def check(self):
        """Raises a ValueError if its learnt variables are out of range; called after each epoch."""

    def get_config(self):
        return {"weight": self.weight, "every": self.every, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})
