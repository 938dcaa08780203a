"""Models whose objective has terms: their logs, their weights, and penalties."""

import inspect

import keras
from keras import ops, tree

from keras_disentangle.losses._evaluation import Evaluation
from keras_disentangle.losses._layer_activations import linear_layers_allowed
from keras_disentangle.losses._spread import spread
from keras_disentangle.losses.hessian_penalty import maximum
from keras_disentangle.penalties import GeneratorPenalty, Penalty, ReconstructionPenalty
from keras_disentangle.schedules import Ramp
from keras_disentangle.trainers._backend import backend
from keras_disentangle.trainers.term_metrics import FiniteMean, PresentValue


class ObjectiveModel(keras.Model):
    """Base of models with a step counter, ramps over steps, logged terms, and penalties.

    Attributes:
        step: int32 variable, the number of training steps completed.
        ramps: dict from name to `Ramp`; the present value of each is logged under its name.
        trackers: dict from name to metric, for the terms of the objective and other logged values.
        ramp_trackers: dict from name to metric, for the ramps.
        penalties: list of the model's `Penalty` objects.
        penalty_kinds: the kinds of penalties that the model accepts, a tuple of classes.
        arguments_of_ramps: dict from the name of a ramp to the argument with which the model must
            be made to have it.
    """

    penalty_kinds = ()
    arguments_of_ramps = {}

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )
        self.ramps = {}
        self.ramp_trackers = {}
        self.trackers = {}
        self.penalties = []
        self._given_penalties = []
        self.penalty_layers = []  # Keras saves and trains them with the model.
        self._activations = {}

    # Terms

    def add_terms(self, *names):
        """Declares the names of terms for `track`."""
        for name in names:
            self.trackers[name] = FiniteMean(name, lambda: self.step)

    def track(self, name, values, sample_weight=None):
        """Logs a term of the objective: the (weighted) mean of `values` over an epoch."""
        if name not in self.trackers:
            raise ValueError(
                f"Every term must be declared by `add_terms` when the model is made. "
                f"Received: {name!r}, not one of {sorted(self.trackers)}"
            )
        self.trackers[name].update_state(values, sample_weight)

    # Ramps

    def add_ramp(self, name, value):
        """Adds a constant `Ramp`, which a callback may change; it is logged under `name`."""
        self.ramps[name] = _NamedRamp(value, name=name)
        self.ramp_trackers[name] = PresentValue(name=name)

    def ramp(self, name):
        """The `Ramp` of a name; raises a ValueError that lists all names if there is none."""
        if name not in self.ramps:
            argument = self.arguments_of_ramps.get(name)
            hint = f" (the model must be made with `{argument}`)" if argument else ""
            raise ValueError(
                f"`name` must be one of the model's ramps, {sorted(self.ramps)}. "
                f"Received: name={name!r}{hint}"
            )
        return self.ramps[name]

    def track_ramps(self):
        """Logs the ramps' values at the present step."""
        for name, ramp in self.ramps.items():
            self.ramp_trackers[name].update_state(ramp(self.step))

    # Penalties

    def activations(self, outputs):
        """The activations that a penalty of the generator uses; a hook of models with a generator.

        Args:
            outputs: `GeneratorPenalty.outputs`.

        Returns:
            An object like `kd.losses._layer_activations.LayerActivations`.

        Raises:
            ValueError: if the generator has no such layers.
        """
        raise NotImplementedError

    def add_penalties(self, penalties, given=True):
        """Adds penalties to the objective, and declares their terms and ramps.

        Args:
            penalties: a list, or `None`.
            given: whether they come from the argument `penalties`, which is in the configuration.

        Raises:
            ValueError: if one is not a penalty, is of a kind that the model does not accept, does
                not suit its networks, or logs under a name that is taken.
        """
        for penalty in _listed(penalties):
            if not isinstance(penalty, self.penalty_kinds):
                kinds = " or ".join(f"`{kind.__name__}`" for kind in self.penalty_kinds)
                raise ValueError(
                    f"`penalties` of {type(self).__name__} must each be a {kinds}. "
                    f"Received: {penalty!r}"
                )
            _check_complete(penalty)
            if isinstance(penalty, GeneratorPenalty):
                with linear_layers_allowed(penalty.scale_free):
                    self._activations[penalty.name] = self.activations(penalty.outputs)
            elif isinstance(penalty, ReconstructionPenalty):
                penalty.build(self.image_shape)
            self.penalty_layers.extend(penalty.layers)
            terms, ramps = penalty.terms(self._parts(penalty)), penalty.ramps()
            logged = {*terms, *ramps, *penalty.state_names}
            if taken := logged & {*self.trackers, *self.ramps}:
                raise ValueError(
                    "`penalties` must log under names of their own: give each another `name`. "
                    f"Received: {penalty.name!r}, which would log {sorted(taken)} a second time"
                )
            for name, value in ramps.items():
                self.add_ramp(name, value)
            self.add_terms(*terms)
            for name in penalty.state_names:
                self.trackers[name] = PresentValue(name=name)
            self.penalties.append(penalty)
            if given:
                self._given_penalties.append(penalty)

    def draw_directions(self, n, width, seed):
        """For each penalty, its random directions at codes (n, width), or `None`."""
        return [
            self.draw(lambda n, penalty=penalty: penalty.draw((n, width), seed), n)
            if isinstance(penalty, GeneratorPenalty)
            else None
            for penalty in self.penalties
        ]

    def draw(self, sample, n):
        """`sample(n)` for this replica: replicas share a seed, so each takes a part of one draw."""
        replicas, index = backend.replica()
        if replicas == 1:
            return sample(n)
        total, start = replicas * n, index * n
        if not isinstance(n, int):  # The last batch of an epoch may be divided unevenly.
            [sizes], rows = backend.gather([ops.reshape(n, (1,))])
            total, start = ops.sum(sizes), ops.sum(sizes[: rows.start])
        part = slice(start, start + n)
        return tree.map_structure(lambda x: x if x is None else x[part], sample(total))

    def on_global_batch(self, fn, *tensors):
        """A function without arguments, `fn` of the batch of all replicas: for batch statistics.

        Its result, a tensor or a structure of them, has the rows of this replica alone; scalars
        stay as they are. Tensors are gathered at once, so the function may be called in a branch.
        Gradients reach every replica's tensors. With one device, or on JAX, where a step computes
        with the whole batch, it calls `fn` with the tensors as they are.

        Args:
            fn: function of the gathered tensors.
            tensors: tensors (n, ...), or `None`.
        """
        found, rows = backend.gather([x for x in tensors if x is not None])
        found = iter(found)
        gathered = [x if x is None else next(found) for x in tensors]
        return lambda: tree.map_structure(lambda x: _cut(x, rows), fn(*gathered))

    def scaled(self, penalty, directions, codes):
        """Directions at codes (n, d), in units of the codes' standard deviations over the global
        batch if the penalty is to be free of scales."""
        if not penalty.scale_free or directions is None:
            return directions
        scale = self.on_global_batch(lambda z: ops.zeros_like(z) + spread(z), codes)()
        return directions * ops.expand_dims(scale, 1)

    def generator_penalty(self, penalty, inputs, directions, training):
        """The penalty of each layer of the generator: a dict from names to tensors."""
        activations = self._activations[penalty.name]
        return penalty.per_layer(activations, inputs, directions, training)

    def penalised(self, loss, penalty, evaluate, training=True, sample_weight=None):
        """Adds a penalty at the present step to a loss, and logs the penalty's terms.

        Args:
            loss: scalar, or a tensor (batch,).
            penalty: one of `penalties`.
            evaluate: function without arguments that evaluates the penalty: a tensor, or a dict
                from parts to tensors.
            training: whether this is a training step; outside of training, `every` is ignored.
            sample_weight: for the logs, as in `track`.
        """
        parts = self._parts(penalty, now=True)
        terms = penalty.terms(parts)
        times = penalty.every if training else 1
        is_maximum = getattr(penalty, "batch_maximum", False)
        form = ops.zeros((), loss.dtype) if is_maximum else loss

        def found():
            values = penalty.values(evaluate())
            _check_values(penalty, values, terms)
            return {name: _like(values[name], form) for name in terms}

        if times == 1:
            values = found()
        else:
            is_due = ops.equal(ops.mod(ops.convert_to_tensor(self.step), times), 0)
            learnt = [v for layer in penalty.layers for v in layer.trainable_variables]
            # With a gradient of zero, not without one: on PyTorch, Adam would skip the variables.
            nothing = ops.zeros_like(form) + sum(0.0 * ops.sum(v) for v in learnt)
            # Updates of variables are discarded: they could not be read outside of the branch.
            values = ops.cond(
                is_due,
                lambda: Evaluation(lambda _: found())(form),
                lambda: dict.fromkeys(terms, nothing),
            )
            is_due = ops.cast(is_due, "float32")
            sample_weight = is_due * (
                ops.ones_like(loss, dtype="float32") if sample_weight is None else sample_weight
            )
        if is_maximum:
            values = self._largest(penalty, values, parts)
            values = {name: _like(value, loss) for name, value in values.items()}
        for name, ramp in terms.items():
            self.track(name, values[name], sample_weight)
            if ramp is None:
                continue
            weight = 1.0 if ramp is True else self.ramps[ramp](self.step)
            loss = loss + (weight if times == 1 else times * weight) * values[name]
        for name, value in penalty.states().items():
            self.trackers[name].update_state(value)
        return loss

    def _largest(self, penalty, values, parts):
        """The terms of a penalty whose parts are each the largest value over the global batch.

        Outside of the branch in which they were evaluated, where replicas cannot meet.
        """
        names = [f"{penalty.term}_{part}" for part in parts] or [penalty.term]
        row = ops.expand_dims(ops.stack([values[name] for name in names]), 0)
        columns = self.on_global_batch(lambda x: [maximum(x[:, i]) for i in range(len(names))], row)
        found = dict(zip(names, columns(), strict=True))
        return {**found, penalty.term: sum(found.values())}

    def check_penalties(self):
        """Raises a ValueError if the learnt variables of a penalty are out of range."""
        for penalty in self.penalties:
            penalty.check()

    def get_config(self):
        if not self.penalty_kinds:
            return super().get_config()
        given = [keras.saving.serialize_keras_object(penalty) for penalty in self._given_penalties]
        return {**super().get_config(), "penalties": given}

    def _parts(self, penalty, now=False):
        """The names of a penalty's parts: all of them, or only those that are in use now."""
        if not isinstance(penalty, GeneratorPenalty):
            return penalty.parts
        activations = self._activations[penalty.name]
        return activations.present if now else activations.names


class _NamedRamp(Ramp):
    """A ramp that its model saves by name: Keras would save it by its position among the ramps."""

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


def _listed(penalties):
    if penalties is None:
        return []
    if not isinstance(penalties, (list, tuple)) or not all(
        isinstance(penalty, Penalty) for penalty in penalties
    ):
        raise ValueError(
            "`penalties` must be a list of penalties, such as `kd.penalties.HessianPenalty()`. "
            f"Received: penalties={penalties!r}"
        )
    return penalties


def _check_complete(penalty):
    """Raises a ValueError if a class of a user's own would not come back from a file as it was."""
    kind = type(penalty)
    if not hasattr(penalty, "every"):
        raise ValueError(
            f"`__init__` of {kind.__name__} must call `super().__init__(weight, every, name)`."
        )
    parameters = inspect.signature(kind.__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {x.name for x in parameters if x.kind in named} - {"self"}
    if missing := sorted(names - set(penalty.get_config())):
        raise ValueError(
            f"`get_config` of {kind.__name__} must return every argument of `__init__`, so that "
            f"files keep them. Received: a dict without {missing}"
        )


def _cut(value, rows):
    """These rows of a tensor; a scalar stays as it is."""
    return value[rows] if len(getattr(value, "shape", ())) else value


def _check_values(penalty, values, terms):
    """Raises a ValueError unless an evaluation gave a scalar or a tensor (batch,) for each term."""
    kind = type(penalty).__name__
    # Layers without a name, or that are not in use, have no term of their own.
    unknown = set() if isinstance(penalty, GeneratorPenalty) else set(values) - set(terms)
    if unknown or set(terms) - set(values):
        raise ValueError(
            f"`evaluate` of {kind} must return one value, or a dict with the keys `parts`, so that "
            f"{sorted(terms)} are logged. Received: values of {sorted(values)}"
        )
    for name, value in values.items():
        if len(shape := getattr(value, "shape", ())) > 1:  # Without layers in use, the sum is 0.
            raise ValueError(
                f"`evaluate` of {kind} must return scalars or tensors (batch,). "
                f"Received: {name!r} of shape {tuple(shape)}"
            )


def _like(value, loss):
    """A scalar or a tensor (batch,) in the shape and dtype of `loss`."""
    value = ops.cast(ops.convert_to_tensor(value), loss.dtype)
    if not len(loss.shape):
        return ops.mean(value)
    # One scalar for the batch: added equally to the loss of each example.
    return value * ops.ones_like(loss)
