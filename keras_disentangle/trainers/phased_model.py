"""Models that train in phases, each with an optimizer and variables of its own."""

import keras
from keras import ops

from keras_disentangle._arguments import check_seed
from keras_disentangle._keras_graph import all_layers, clear_losses, own_losses
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers.fit_arguments import fit_arguments
from keras_disentangle.trainers.optimizer_group import (
    OptimizerGroup,
    get_optimizer,
    serialize_optimizer,
)
from keras_disentangle.trainers.phase import Move
from keras_disentangle.trainers.stepped_model import SteppedModel


class PhasedModel(SteppedModel):
    """Base of models that train in phases: the train step is written once for each backend.

    A subclass defines in `phases` which variables each phase updates, with which optimizer and
    loss; it may override `prepare`, `share` and `finish`. It uses `keras.ops` only. A step runs the
    phases in order, each with the variables as the previous one left them.

    Attributes:
        step, ramps, trackers, penalties: as in `ObjectiveModel`.
        optimizer: the `OptimizerGroup`, once compiled.

    Args:
        seed: integer seed of `seed_generator`, from which `prepare` draws, or `None`.

    Example:

    >>> class Alternating(kd.trainers.PhasedModel):
    ...     def __init__(self, encoder, decoder):
    ...         super().__init__()
    ...         self.encoder, self.decoder = encoder, decoder
    ...         self.add_terms("error")
    ...         self.built = True
    ...
    ...     def phases(self):
    ...         return [kd.trainers.Phase("encoder", (self.encoder,), self.error),
    ...                 kd.trainers.Phase("decoder", (self.decoder,), self.error)]
    ...
    ...     def error(self, images, shared):
    ...         code, _ = ops.split(self.encoder(images, training=True), 2, axis=-1)
    ...         errors = ops.square(self.decoder(code, training=True) - images)
    ...         self.track("error", errors)
    ...         return ops.mean(errors)
    >>> model = Alternating(encoder, decoder)
    >>> model.compile(encoder_optimizer="adam", decoder_optimizer=keras.optimizers.SGD(0.1))
    >>> model.fit(images, batch_size=16)
    """

    refused_arguments = ("validation_data", "validation_split", "sample_weight", "class_weight")

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = check_seed("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    # Hooks

    def phases(self):
        """The list of `Phase`, in the order in which a step runs them."""
        raise NotImplementedError

    def joined(self, x, y):
        """The argument of `prepare` from a batch (x, y): by default, `x` alone."""
        return x

    def prepare(self, x):
        """The input of all phases, made without gradients: by default, the images."""
        return x

    def share(self, batch):
        """Tensors that several phases use, in any structure; computed once, before the first."""
        return ()

    def finish(self, batch, shared):
        """Called after the last phase. An override calls this method last."""
        self.track_ramps()
        self.step.assign_add(1)

    # For subclasses

    def input_gradient(self, fn, x):
        """`fn(x)`, a tuple, and the gradient of the sum of its first tensor with respect to `x`.

        The gradient can be differentiated again, with respect to the model's variables.
        """
        return backend.input_gradient(self, fn, x)

    # Training

    def compile(
        self, *others, jit_compile="auto", steps_per_execution=1, run_eagerly=False, **optimizers
    ):
        """Sets the optimizer of every slot: `compile(<slot>_optimizer=..., ...)`.

        Args:
            jit_compile, steps_per_execution, run_eagerly: as in `keras.Model.compile`.
            **optimizers: `<slot>_optimizer` for each slot of `phases`: an optimizer or its name.

        Raises:
            ValueError: if an optimizer is missing or no slot has its name, a phase has no variables
                to update or phases do not fit each other, or the networks compute in float16 and an
                optimizer is not a `keras.optimizers.LossScaleOptimizer`.
        """
        phases = self.phases()
        slots = _slots(phases)
        expected = {f"{slot}_optimizer": slot for slot in slots}
        if others or set(optimizers) != set(expected):
            received = [*others, *sorted(optimizers)]
            raise ValueError(
                f"`compile` needs the optimizers {sorted(expected)}, and nothing else, because "
                f"the model defines its objective itself. Received: {received}"
            )
        group = OptimizerGroup(
            {slot: get_optimizer(name, optimizers[name]) for name, slot in expected.items()}
        )
        self._check_precision(group)
        group.build_slots(slots)
        self.moves = [Move(phase, slots[phase.slot]) for phase in phases]
        # The slots scale their losses themselves.
        super().compile(
            optimizer=group,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            auto_scale_loss=False,
        )

    @property
    def sharing_move(self):
        """The update whose gradient also flows through the result of `share`, or `None`."""
        return next((move for move in self.moves if move.phase.differentiates_shared), None)

    def share_of(self, batch):
        """The result of `share`, and the losses that the sharing phase's networks added in it."""
        clear_losses(self)
        shared, move = self.share(batch), self.sharing_move
        networks = () if move is None else move.phase.networks
        return shared, own_losses(*all_layers(*networks))

    def loss_of(self, phase, batch, shared):
        """The loss of a phase with the losses of its networks: regularisers, `add_loss`.

        `shared` is the result of `share_of`.
        """
        clear_losses(self)
        shared, added = shared
        loss = phase.loss(batch, shared)
        added = list(added) if phase.differentiates_shared else []
        for network in phase.networks:
            added += network.losses
        for extra in added:
            loss = loss + ops.cast(ops.sum(extra), loss.dtype)
        return loss

    def train_step(self, *args):
        *state, data = args
        data = self.with_images(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError(
                "The data must hold no `sample_weight`: alternating training weights all examples "
                "equally. Received: batches (x, y, sample_weight)"
            )
        return backend.train_step(self, *state, self.joined(x, y))

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`; stops with a ValueError when a term of the objective is not finite.

        Of the data, only `x` is used, unless `joined` says otherwise.

        Raises:
            ValueError: as above; if `validation_data` or weights of examples are given, which
                alternating training does not use; if networks were frozen or unfrozen after
                `compile`.
        """
        arguments = fit_arguments(*args, **kwargs)
        for name in self.refused_arguments:
            given = arguments.get(name)
            # Arrays have no truth value; the default of `validation_split` is 0.
            if given is not None and not (isinstance(given, (int, float)) and given == 0):
                raise ValueError(
                    f"`{name}` must be left out: alternating training has no validation loss and "
                    "weights all examples equally. Measure samples or codes in a callback instead. "
                    f"Received: {name} of the type {type(given).__name__}"
                )
        if self.compiled:
            self._check_moves()
        return super().fit(**arguments)

    def evaluate(self, *args, **kwargs):
        raise ValueError(
            f"{type(self).__name__} has no loss to evaluate: alternating training minimises "
            "several. Measure its samples or codes instead"
        )

    @property
    def metrics(self):
        # Keras's own would put a "loss" of 0 in front.
        return [*self.trackers.values(), *self.ramp_trackers.values()]

    def get_metrics_result(self):
        # TensorFlow passes no empty result from step to step.
        return super().get_metrics_result() or {"step": ops.cast(self.step, "float32")}

    def _check_moves(self):
        now = {slot: [id(v) for v in found] for slot, found in _slots(self.phases()).items()}
        for move in self.moves:
            if [id(v) for v in move.variables] != now.get(move.phase.slot):
                raise ValueError(
                    "The model must be compiled again after layers were frozen or unfrozen. "
                    f"Received: other variables for the slot {move.phase.slot!r} than at `compile`"
                )

    def _check_precision(self, group):
        if not any(layer.compute_dtype == "float16" for layer in all_layers(self)):
            return
        for slot, optimizer in group.slots.items():
            if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                raise ValueError(
                    "Networks in float16 need every optimizer wrapped in "
                    "`keras.optimizers.LossScaleOptimizer` (or use mixed_bfloat16). "
                    f"Received: {slot}_optimizer={optimizer}"
                )

    # Saving

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras saves no seed generators; without their state a run cannot be resumed exactly.
        for i, state in enumerate(self._seed_states()):
            store[f"seed_state_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        super().load_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            if f"seed_state_{i}" in store.keys():
                state.assign(store[f"seed_state_{i}"])

    def _seed_states(self):
        weights = {id(variable) for variable in self.weights}
        return [variable for variable in self.variables if id(variable) not in weights]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "optimizers": {
                f"{slot}_optimizer": serialize_optimizer(optimizer)
                for slot, optimizer in self.optimizer.slots.items()
            },
            "shares": self.optimizer.shares,
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config):
        settings = dict(config)
        optimizers, shares = settings.pop("optimizers"), settings.pop("shares", None)
        self.compile(
            **{name: keras.optimizers.deserialize(value) for name, value in optimizers.items()},
            **settings,
        )
        if shares is not None:
            # Rates may have been set to 0 since, which would have no ratio.
            self.optimizer.shares = shares


def _slots(phases):
    """The variables of each slot; raises a ValueError if the phases do not fit each other."""
    slots, moved = {}, set()
    for phase in phases:
        variables = phase.variables
        ids = {id(variable) for variable in variables}
        if not ids:
            raise ValueError(
                f"Every phase must update at least one variable. Received: {phase.slot!r}, whose "
                "networks have no trainable variables"
            )
        if ids != {id(variable) for variable in slots.setdefault(phase.slot, variables)}:
            raise ValueError(
                "Phases of one slot must update the same variables. "
                f"Received: different ones for the slot {phase.slot!r}"
            )
        if phase.differentiates_shared and ids & moved:
            raise ValueError(
                "A phase with `differentiates_shared` must be the first to update its variables. "
                f"Received: {phase.slot!r}, after another phase that updates them"
            )
        moved |= ids
    sharing = [phase.slot for phase in phases if phase.differentiates_shared]
    if len(sharing) > 1:
        raise ValueError(f"One phase at most may have `differentiates_shared`. Received: {sharing}")
    return slots
