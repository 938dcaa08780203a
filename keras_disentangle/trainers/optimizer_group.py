"""Several optimizers that Keras treats as one."""

import numbers

import keras
from keras import ops

from keras_disentangle._keras_graph import (
    averages,
    moved_variables,
    portable_optimizer,
    rate_or_schedule,
)


def get_optimizer(name, optimizer):
    """The optimizer that an argument called `name` stands for, as `keras.optimizers.get` reads it.

    Raises:
        ValueError: if it stands for none.
    """
    try:
        found = keras.optimizers.get(optimizer)
    except Exception as error:  # Keras raises several kinds for dicts that describe none.
        raise ValueError(
            f"`{name}` must be a Keras optimizer or the name of one. Received: {name}={optimizer!r}"
        ) from error
    if found is None:
        raise ValueError(f"`{name}` must be a Keras optimizer or the name of one. Received: None")
    return found


@keras.saving.register_keras_serializable("keras_disentangle")
class OptimizerGroup(keras.optimizers.Optimizer):
    """Named optimizers, each for variables of its own, which take the place of `model.optimizer`.

    Saving, resuming, callbacks and distribution therefore work as usual in Keras: `variables` are
    the variables of all slots, one slot after another. `learning_rate` is the largest of the slots'
    rates. Setting it, or its `assign`, scales the rates of all slots in their initial ratios: a
    callback that sets 5e-4 sets no slot to more. Ratios to a rate of 0 are not defined: if all
    slots start with 0, their shares are equal; if only some do, or a slot has a schedule,
    `learning_rate` cannot be set. The rate of a single slot is `group["generator"].learning_rate`.

    `keras.callbacks.SwapEMAWeights` swaps the variables of the slots that have `use_ema=True`.

    Args:
        slots: dict from name to optimizer (or another argument of `keras.optimizers.get`).
        name: name of the group.
        shares: `None`, or a dict from each slot to its share of the group's learning rate, > 0,
            instead of the initial ratios of the slots' rates.

    Attributes:
        shares: dict from slot to its share, `None` where it is unknown.

    Raises:
        ValueError: if there are no slots, a slot holds no optimizer, one fills two of them, or
            `shares` are not positive numbers for the slots.

    Example:

    >>> group = OptimizerGroup({"generator": "adam", "discriminator": keras.optimizers.SGD(0.1)})
    >>> players = {"generator": generator, "discriminator": discriminator}
    >>> group.build_slots({name: player.trainable_variables for name, player in players.items()})
    """

    def __init__(self, slots, name="optimizer_group", shares=None):
        if not isinstance(slots, dict) or not slots:
            raise ValueError(
                f"`slots` must be a dict from names to optimizers. Received: slots={slots!r}"
            )
        super().__init__(learning_rate=1.0, name=name)
        self.slots = {
            slot: get_optimizer(f"slots[{slot!r}]", optimizer) for slot, optimizer in slots.items()
        }
        if len({id(optimizer) for optimizer in self.slots.values()}) < len(slots):
            raise ValueError(
                f"`slots` must hold an optimizer of its own for each name. Received: slots={slots}"
            )
        self.shares = self._shares_of_rates() if shares is None else self._checked(shares)

    def __getitem__(self, slot):
        return self.slots[slot]

    def build(self, variables):
        """Called by Keras with all variables of a model; the slots already have theirs."""
        if not self.built:
            raise ValueError("An `OptimizerGroup` is built by `build_slots`, a list for each slot.")

    def build_slots(self, variables):
        """Creates each slot's state.

        Args:
            variables: dict from slot to the list of variables that it will update.

        Raises:
            ValueError: if the slots are not those of the group, or an optimizer was built for other
                variables.
        """
        if set(variables) != set(self.slots):
            raise ValueError(
                f"`variables` must have the slots {sorted(self.slots)}. "
                f"Received: {sorted(variables)}"
            )
        for slot, moved in variables.items():
            optimizer = self.slots[slot]
            if not optimizer.built:
                optimizer.build(moved)
            known = moved_variables(optimizer)
            if [id(v) for v in known] != [id(v) for v in moved]:
                raise ValueError(
                    f"The optimizer of the slot {slot!r} was built for other variables: use a new "
                    f"one. Received: {optimizer}"
                )
        self.built = True

    @property
    def variables(self):
        return [variable for slot in self.slots.values() for variable in slot.variables]

    def variables_of(self, slot, values):
        """The part of `values`, a list as long as `variables`, that belongs to a slot.

        Returns:
            (part, position of its first value).
        """
        start = 0
        for name, optimizer in self.slots.items():
            size = len(optimizer.variables)
            if name == slot:
                return list(values[start : start + size]), start
            start += size
        raise ValueError(f"`slot` must be one of {sorted(self.slots)}. Received: slot={slot!r}")

    def reset(self, slot=None):
        """Gives a slot, or each of them, the state of an optimizer before its first step.

        Momenta and the step count, and with it a learning-rate schedule, start again; a learning
        rate that was set is kept.

        Raises:
            ValueError: if there is no such slot, or the slots were not built.
        """
        if slot is not None and slot not in self.slots:
            raise ValueError(f"`slot` must be one of {sorted(self.slots)}. Received: slot={slot!r}")
        if not self.built:
            raise ValueError("An `OptimizerGroup` must be built before it is reset: `build_slots`.")
        for optimizer in self.slots.values() if slot is None else [self.slots[slot]]:
            optimizer = _inner(optimizer)
            new = type(optimizer).from_config(optimizer.get_config())
            new.build(moved_variables(optimizer))
            for variable, value in zip(optimizer.variables, new.variables, strict=True):
                variable.assign(value)

    @property
    def iterations(self):
        """The number of updates made by the last slot."""
        return list(self.slots.values())[-1].iterations

    @property
    def learning_rate(self):
        rate = self.slots[self._leader].learning_rate
        return _RateOfAll(self, rate) if isinstance(rate, keras.Variable) else rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.check_settable()
        is_number = isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
        if not is_number:
            raise ValueError(
                "`learning_rate` must be a number; a schedule is for the optimizer of a slot and "
                "given to `compile`, such as "
                f"{self._leader}_optimizer=keras.optimizers.Adam(schedule). "
                f"Received: learning_rate={value!r}"
            )
        whole = self.shares[self._leader]
        for slot, optimizer in self.slots.items():
            optimizer.learning_rate = value * (self.shares[slot] / whole)

    def check_settable(self):
        """Raises a ValueError unless `learning_rate` can be set."""
        for slot, optimizer in self.slots.items():
            if has_schedule(optimizer):
                raise ValueError(
                    "`learning_rate` cannot be set: the optimizer must have a number as its "
                    f"learning rate. Received: a schedule in the slot {slot!r}"
                )
            if self.shares[slot] is None:
                raise ValueError(
                    "`learning_rate` cannot be set: every slot must be compiled with a rate above "
                    "0, which determines its share (a callback may still begin at 0). Received: "
                    f"the rate 0 in the slot {slot!r}, whose own rate can be set: "
                    f"`optimizer[{slot!r}].learning_rate`"
                )

    @property
    def _leader(self):
        """The slot with the largest share, the first if there are several."""
        return max(self.shares, key=lambda slot: self.shares[slot] or 0.0)

    def _shares_of_rates(self):
        rates = {slot: _rate(optimizer) for slot, optimizer in self.slots.items()}
        largest = max(rates.values())
        if not largest:
            return dict.fromkeys(rates, 1.0)
        return {slot: rate / largest or None for slot, rate in rates.items()}

    def _checked(self, shares):
        is_dict = isinstance(shares, dict) and set(shares) == set(self.slots)
        if not is_dict or any(share is not None and not share > 0 for share in shares.values()):
            raise ValueError(
                f"`shares` must be None or a dict from the slots {sorted(self.slots)} to positive "
                f"numbers. Received: shares={shares}"
            )
        return dict(shares)

    # Read by `keras.callbacks.SwapEMAWeights`: variables with a moving average, and the averages.

    @property
    def _trainable_variables(self):
        return [v for optimizer in self._averaging() for v in moved_variables(optimizer)]

    @_trainable_variables.setter
    def _trainable_variables(self, variables):
        pass  # Keras's own `__init__` writes an empty list.

    @property
    def _model_variables_moving_average(self):
        return [v for o in self._averaging() for v in averages(o)]

    def _averaging(self):
        found = [_inner(optimizer) for optimizer in self.slots.values()]
        found = [optimizer for optimizer in found if optimizer.use_ema]
        if not found:
            raise ValueError(
                "`SwapEMAWeights` needs an optimizer with `use_ema=True` in one slot at least (a "
                "GAN keeps a running mean of its generator by `ema_decay` instead). Received: the "
                f"slots {sorted(self.slots)}, all with `use_ema=False`"
            )
        return found

    def apply(self, grads, trainable_variables=None):
        raise ValueError("An `OptimizerGroup` applies nothing itself: its slots do.")

    def finalize_variable_values(self, var_list):
        for optimizer in self.slots.values():
            moved = moved_variables(optimizer)
            optimizer.finalize_variable_values(moved)
            if _inner(optimizer).use_ema:
                # On JAX a weight would share the buffer of its average, which the next `fit`
                # cannot donate twice.
                for variable in moved:
                    variable.assign(ops.copy(variable))

    # Keras saves the slots as parts of this object.

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass

    def get_config(self):
        slots = {slot: serialize_optimizer(o) for slot, o in self.slots.items()}
        return {"name": self.name, "slots": slots, "shares": self.shares}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        slots = {
            slot: keras.optimizers.deserialize(optimizer, custom_objects)
            for slot, optimizer in config["slots"].items()
        }
        return cls(slots, config["name"], config.get("shares"))


class _RateOfAll(keras.Variable):
    """The learning rate of the leading slot as a variable, whose `assign` sets every slot's rate.

    It has no value of its own.
    """

    def __init__(self, group, rate):
        vars(self).update(vars(rate), _group=group, _rate=rate)

    @property
    def value(self):
        return self._rate.value

    def assign(self, value):
        self._group.learning_rate = value
        return self.value


def serialize_optimizer(optimizer):
    """The configuration of an optimizer in a form that every backend can read."""
    return portable_optimizer(keras.optimizers.serialize(optimizer))


def has_schedule(optimizer):
    """Whether the learning rate of an optimizer (not a group) is a schedule, so cannot be set."""
    rate = rate_or_schedule(_inner(optimizer))
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)


def _inner(optimizer):
    """The optimizer itself, where a `LossScaleOptimizer` wraps it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _rate(optimizer):
    return ops.convert_to_numpy(ops.convert_to_tensor(optimizer.learning_rate)).item()
