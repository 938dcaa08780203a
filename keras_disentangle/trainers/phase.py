"""The phases of alternating training: which variables move, and by what loss."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """One move of alternating training: whose variables it changes, and what it minimises.

    Args:
        slot: name of the optimizer that makes the move; phases of one slot move the same variables.
        networks: the layers or models whose trainable variables are moved.
        loss: function (batch, shared) to a scalar tensor, averaged over the batch; what it tracks
            and the statistics that its layers update are kept.
        differentiates_shared: whether the gradient also flows through `shared`, what
            `PhasedModel.share` computed before the first phase. The phase must then be the first
            to move the variables that `share` depends on. For every other phase it is a constant.

    Example:

    >>> phase = kd.trainers.Phase(
    ...     "decoder",
    ...     (decoder,),
    ...     lambda batch, shared: ops.mean(ops.square(decoder(shared, training=True) - batch)),
    ... )
    >>> len(phase.variables)
    2
    """

    slot: str
    networks: tuple
    loss: Callable
    differentiates_shared: bool = False

    @property
    def variables(self):
        found = {id(v): v for network in self.networks for v in network.trainable_variables}
        return list(found.values())


@dataclass(frozen=True)
class Move:
    """A phase of a compiled model, with the variables that it moved when the model was compiled."""

    phase: Phase
    variables: list
