"""The phases of alternating training: which variables each updates, and its loss."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """One update of alternating training: the variables that it changes and the loss to minimise.

    Args:
        slot: name of the optimizer of this update; phases of one slot update the same variables.
        networks: the layers or models whose trainable variables are updated.
        loss: function (batch, shared) to a scalar tensor, averaged over the batch; terms that it
            tracks and statistics that its layers update are kept.
        differentiates_shared: whether the gradient also flows through `shared`, the result of
            `PhasedModel.share` before the first phase. The phase must then be the first to update
            the variables that `share` depends on. For every other phase `shared` is a constant.
        weights: further variables that are updated and belong to no network, such as a model's own.

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
    weights: tuple = ()

    @property
    def variables(self):
        found = {id(v): v for network in self.networks for v in network.trainable_variables}
        found.update((id(v), v) for v in self.weights if v.trainable)
        return list(found.values())


@dataclass(frozen=True)
class Move:
    """A phase of a compiled model, with the variables that it had when the model was compiled."""

    phase: Phase
    variables: list
