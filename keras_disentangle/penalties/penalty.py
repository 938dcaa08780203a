"""What all penalties have in common: a name, a weight that is a ramp, and what is logged."""

import re

import keras

from keras_disentangle._arguments import check_int, check_weight


class Penalty:
    r"""Base of the penalties: terms that a model adds to the objective that it minimises.

    A penalty is of one of three kinds, each a subclass: of a generator (`GeneratorPenalty`), of a
    posterior (`PosteriorPenalty`) or of a reconstruction (`ReconstructionPenalty`). It holds
    settings alone, so several models may have the same one. The model that takes it
    (`penalties=[...]`) evaluates it in the compiled step and adds it, times the ramp
    `model.ramps["<name>_weight"]`, to its objective. The value is logged as `term`; if there are
    several parts, such as layers, that is their sum, and each is logged as `<term>_<part>` too.

    With `every=n` it is evaluated in the steps 0, n, 2n, ... alone, with n times its weight: the
    gradient's mean over n steps stays about the same and the cost is divided by n. The logs have
    the mean over the steps at which it was evaluated. Outside of training it always is.

    Attributes:
        term: the name of its value in the logs, `name` unless a subclass says otherwise.
        layers: layers that it trains, or that are to be saved with the model.
        state_names: names in the logs of what `states` gives.

    Args:
        weight: where the ramp `<name>_weight` begins, >= 0; `None` for a weight of 1 without a
            ramp.
        every: n, >= 1.
        name: of the penalty: letters, digits and underscores.

    Raises:
        ValueError: if an argument is out of range.

    Reference: Karras et al., 2020 (StyleGAN2), appendix B, for `every`.
    """

    layers = ()
    state_names = ()

    def __init__(self, weight=1.0, every=1, name="penalty"):
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            raise ValueError(
                f"`name` must be a text of letters, digits and underscores. Received: name={name!r}"
            )
        self.name = name
        self.weight = None if weight is None else check_weight("weight", weight)
        self.every = check_int("every", every)

    @property
    def term(self):
        return self.name

    def ramps(self):
        """Where the ramps of its weight begin: a dict from their names to numbers."""
        return {} if self.weight is None else {f"{self.name}_weight": self.weight}

    def terms(self, parts):
        """What is logged, and the ramp of each term's weight: a dict from name to name.

        The ramp is `True` for a term of the objective that has none, and `None` for a term that is
        only logged.

        Args:
            parts: the names of the parts.
        """
        ramp = True if self.weight is None else f"{self.name}_weight"
        return {self.term: ramp, **{f"{self.term}_{part}": None for part in parts}}

    def values(self, found):
        """The values of these terms, as a dict.

        Args:
            found: what an evaluation gave: a tensor, or a dict from parts to tensors.
        """
        if not isinstance(found, dict):
            return {self.term: found}
        return {self.term: sum(found.values()), **{f"{self.term}_{k}": v for k, v in found.items()}}

    def states(self):
        """What else is logged as it is at present: a dict from `state_names` to scalars."""
        return {}

    def check(self):
        """Raises a ValueError if what it has learnt is not in order: asked after every epoch."""

    def get_config(self):
        return {"weight": self.weight, "every": self.every, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})
