import re
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers import SGD, Adam, AdamW, LossScaleOptimizer, RMSprop
from tiny_training import numbers

from keras_disentangle.trainers import OptimizerGroup, Phase, PhasedModel

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(16, 3)).astype("float32")
TARGETS = rng.normal(size=(16, 2)).astype("float32")
DATA = np.concatenate([INPUTS, TARGETS], axis=1)


def regressor(width=3):
    return keras.Sequential([keras.Input((width,)), layers.Dense(4, "tanh"), layers.Dense(2)])


@keras.saving.register_keras_serializable("tests")
class Regressions(PhasedModel):
    """Networks that have nothing to do with each other, each with a slot of its own."""

    def __init__(self, networks, **kwargs):
        super().__init__(**kwargs)
        self.networks = networks
        self.add_terms(*networks)
        self.built = True

    def phases(self):
        return [
            Phase(name, (network,), partial(self.squared_error, name))
            for name, network in self.networks.items()
        ]

    def squared_error(self, name, batch, shared):
        output = self.networks[name](batch[:, :3], training=True)
        errors = ops.mean(ops.square(output - batch[:, 3:]), axis=-1)
        self.track(name, errors)
        return ops.mean(errors)

    def get_config(self):
        return {
            **super().get_config(),
            "networks": keras.saving.serialize_keras_object(dict(self.networks)),
        }


def fit(model, *arguments, epochs=3, callbacks=()):
    return model.fit(
        *arguments, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    ).history


def copy_of(network):
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def optimizers():
    """One of each kind: with a schedule, and with whatever else an optimizer can carry."""
    return {
        "momentum": SGD(0.1, momentum=0.9),
        "schedule": Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        "average": Adam(0.1, use_ema=True, ema_momentum=0.7),
        "overwriting_average": SGD(0.1, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3),
        "weight_decay": AdamW(0.1, weight_decay=0.1),
        "norm": SGD(0.1, clipnorm=0.01),
        "global_norm": RMSprop(0.1, global_clipnorm=0.01),
        "accumulation": SGD(0.1, gradient_accumulation_steps=2),
        "scale_factor": SGD(0.1, loss_scale_factor=8.0),
        "loss_scale": LossScaleOptimizer(
            Adam(0.1), initial_scale=64.0, dynamic_growth_steps=5, name="scaled"
        ),
    }


@pytest.fixture(scope="module")
def trained():
    """All of these in one model, after three epochs; and its networks as they were before."""
    keras.utils.set_random_seed(0)
    model = Regressions({name: regressor() for name in optimizers()})
    before = {name: copy_of(network) for name, network in model.networks.items()}
    slots = {f"{name}_optimizer": optimizer for name, optimizer in optimizers().items()}
    model.compile(**slots)
    return model, fit(model, DATA), before


@pytest.mark.parametrize("name", optimizers())
def test_a_slot_is_the_optimizer_by_itself(trained, name):
    model, history, before = trained
    network = before[name]
    network.compile(optimizers()[name], "mse")
    expected = fit(network, INPUTS, TARGETS)["loss"]
    np.testing.assert_allclose(history[name], expected, rtol=1e-5)
    assert expected[-1] < expected[0]
    mine, plain = model.optimizer[name], network.optimizer
    assert int(mine.iterations) == int(plain.iterations)
    np.testing.assert_allclose(mine.learning_rate, plain.learning_rate, rtol=1e-6)
    for a, b in (
        (model.networks[name].weights, network.weights),
        (mine.variables, plain.variables),
    ):
        for x, y in zip(numbers(a), numbers(b), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


def test_variables_are_those_of_the_slots_in_order(trained):
    group = trained[0].optimizer
    expected = [v for name in optimizers() for v in group[name].variables]
    assert [id(v) for v in group.variables] == [id(v) for v in expected]
    values, end = list(range(len(expected))), 0
    for name in optimizers():
        part, start = group.variables_of(name, values)
        assert start == end and part == values[start : start + len(group[name].variables)]
        end = start + len(part)
    assert end == len(expected)
    assert int(group.iterations) == int(group["loss_scale"].iterations) == 12


# Trains its model on, so it comes last.
def test_a_loaded_group_goes_on(trained, tmp_path):
    model = trained[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert list(loaded.optimizer.slots) == list(optimizers())
    for name, optimizer in loaded.optimizer.slots.items():
        assert optimizer.get_config() == model.optimizer[name].get_config()
    for method in (lambda m: None, lambda m: fit(m, DATA, epochs=2)):
        assert method(loaded) == method(model)
        for a, b in (
            (model.weights, loaded.weights),
            (model.optimizer.variables, loaded.optimizer.variables),
        ):
            for variable, x, y in zip(a, numbers(a), numbers(b), strict=True):
                np.testing.assert_array_equal(x, y, variable.path)


# The learning rate


def rates(group):
    return [float(ops.convert_to_numpy(slot.learning_rate)) for slot in group.slots.values()]


def test_the_learning_rate_is_that_of_the_largest_slot_and_scales_the_others():
    group = OptimizerGroup({"a": SGD(0.1), "b": Adam(0.4), "c": LossScaleOptimizer(SGD(0.05))})
    assert float(ops.convert_to_numpy(group.learning_rate)) == pytest.approx(0.4)
    group.learning_rate = 0.2  # No slot gets more than that.
    np.testing.assert_allclose(rates(group), [0.05, 0.2, 0.025], rtol=1e-6)
    group["b"].learning_rate = 0.8  # until the group is told again
    np.testing.assert_allclose(rates(group), [0.05, 0.8, 0.025], rtol=1e-6)
    group.learning_rate = 0.4
    np.testing.assert_allclose(rates(group), [0.1, 0.4, 0.05], rtol=1e-6)
    group.learning_rate.assign(0.8)
    np.testing.assert_allclose(rates(group), [0.2, 0.8, 0.1], rtol=1e-6)
    group.learning_rate.assign_sub(0.4)
    np.testing.assert_allclose(rates(group), [0.1, 0.4, 0.05], rtol=1e-6)
    for value in (group.learning_rate.numpy(), 0.5 * group.learning_rate * 2):
        assert float(ops.convert_to_numpy(value)) == pytest.approx(0.4)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, 10, 0.5)
    for value in (schedule, lambda: 0.1, "0.1", [0.1]):
        with pytest.raises(ValueError, match="`learning_rate` must be a number; a schedule is for"):
            group.learning_rate = value
    group.learning_rate = 0.0  # The ratios outlive a warm-up from 0, also in a file.
    assert rates(group) == [0, 0, 0]
    same = keras.optimizers.deserialize(keras.optimizers.serialize(group))
    assert isinstance(same, OptimizerGroup) and same.get_config() == group.get_config()
    for one in (group, same):
        one.learning_rate = 1.0
        np.testing.assert_allclose(rates(one), [0.25, 1.0, 0.125], rtol=1e-6)


def test_slots_that_came_with_a_rate_of_0():
    group = OptimizerGroup({"a": SGD(0.0), "b": SGD(0.0)})
    group.learning_rate = 0.1
    np.testing.assert_allclose(rates(group), [0.1, 0.1], rtol=1e-6)
    group = OptimizerGroup({"a": SGD(0.0), "b": SGD(0.1)})
    with pytest.raises(ValueError, match="above 0, .* Received: the rate 0 in the slot 'a'"):
        group.learning_rate = 0.2
    group["a"].learning_rate = 0.3
    np.testing.assert_allclose(rates(group), [0.3, 0.1], rtol=1e-6)
    told = OptimizerGroup({"a": SGD(0.0), "b": SGD(0.1)}, shares={"a": 0.5, "b": 0.25})
    told.learning_rate = 0.2
    np.testing.assert_allclose(rates(told), [0.2, 0.1], rtol=1e-6)


def test_a_schedule_is_left_alone():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, 10, 0.5)
    for wrap in (lambda optimizer: optimizer, LossScaleOptimizer):
        group = OptimizerGroup({"a": SGD(0.1), "b": wrap(Adam(schedule))})
        with pytest.raises(ValueError, match="schedule in the slot 'b'"):
            group.learning_rate = 0.2
        np.testing.assert_allclose(rates(group), [0.1, 0.4], rtol=1e-6)


def two_slots():
    keras.utils.set_random_seed(0)
    model = Regressions({"a": regressor(), "b": regressor()})
    copies = [copy_of(network) for network in model.networks.values()]
    model.compile(a_optimizer=SGD(0.1), b_optimizer=SGD(0.3, momentum=0.5))
    return model, copies


def test_learning_rate_scheduler():
    model, copies = two_slots()
    histories = [fit(model, DATA, callbacks=[scheduler(0.3)])]
    for network, optimizer, start in zip(
        copies, (SGD(0.1), SGD(0.3, momentum=0.5)), (0.1, 0.3), strict=True
    ):
        network.compile(optimizer, "mse")
        histories.append(fit(network, INPUTS, TARGETS, callbacks=[scheduler(start)]))
    group, *plain = histories
    np.testing.assert_allclose(group["learning_rate"], [0.3, 0.15, 0.075], rtol=1e-6)
    for name, history in zip("ab", plain, strict=True):
        np.testing.assert_allclose(group[name], history["loss"], rtol=1e-5)
    np.testing.assert_allclose(rates(model.optimizer), [0.025, 0.075], rtol=1e-6)


def scheduler(start):
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: start * 0.5**epoch)


def test_reduce_on_plateau(tmp_path):
    model, _ = two_slots()
    plateau = keras.callbacks.ReduceLROnPlateau("a", 0.5, patience=1, mode="min", min_delta=1e3)
    history = fit(model, DATA, epochs=4, callbacks=[plateau])
    np.testing.assert_allclose(history["learning_rate"], [0.3, 0.3, 0.15, 0.075], rtol=1e-6)
    np.testing.assert_allclose(rates(model.optimizer), [0.0125, 0.0375], rtol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert rates(loaded.optimizer) == rates(model.optimizer)
    loaded.optimizer.learning_rate = 0.3
    np.testing.assert_allclose(rates(loaded.optimizer), [0.1, 0.3], rtol=1e-6)


# Bad input


def variables(number=2):
    return [keras.Variable(np.ones(2, "float32")) for _ in range(number)]


def built_for(others, optimizer):
    optimizer.build(others)
    return optimizer


one = SGD(0.1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: OptimizerGroup({}), "`slots` must be a dict .* Received: slots={}"),
        (lambda: OptimizerGroup([SGD(0.1)]), "`slots` must be a dict .* Received: slots="),
        (lambda: OptimizerGroup({"a": one, "b": one}), "an optimizer of its own for each name"),
        (
            lambda: OptimizerGroup({"a": SGD(0.1)}).build_slots({"b": variables()}),
            r"must have the slots \['a'\]. Received: \['b'\]",
        ),
        (
            lambda: OptimizerGroup({"a": SGD(0.1), "b": SGD(0.1)}).build_slots({"a": variables()}),
            r"must have the slots \['a', 'b'\]. Received: \['a'\]",
        ),
        (
            lambda: OptimizerGroup({"a": built_for(variables(), SGD(0.1))}).build_slots(
                {"a": variables()}
            ),
            "slot 'a' was built for other variables",
        ),
        (
            lambda: OptimizerGroup(
                {"a": built_for(variables(), LossScaleOptimizer(SGD(0.1)))}
            ).build_slots({"a": variables()}),
            "slot 'a' was built for other variables",
        ),
        (lambda: OptimizerGroup({"a": "sgd"}).build(variables()), "built by `build_slots`"),
        (lambda: OptimizerGroup({1: None}), r"`slots\[1\]` must be a Keras .*Received: None"),
        (lambda: OptimizerGroup({"a": {}}), r"`slots\['a'\]` must .*Received: slots\['a'\]={}"),
        (
            lambda: Regressions({"a": regressor()}).compile(a_optimizer="fastest"),
            "`a_optimizer` must be a Keras optimizer .*Received: a_optimizer='fastest'",
        ),
        (
            lambda: OptimizerGroup({"a": "sgd"}, shares={"a": 0.0}),
            r"`shares` must be .* the slots \['a'\] .* Received: shares={'a': 0.0}",
        ),
        (lambda: OptimizerGroup({"a": "sgd"}).apply([], []), "applies nothing itself"),
        (
            lambda: OptimizerGroup({"a": "sgd"}).variables_of("b", []),
            r"`slot` must be one of \['a'\]. Received: slot='b'",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"a_optimizer": "sgd"}, "needs the optimizers ['a_optimizer', 'b_optimizer'], and"),
        ({"optimizer": "sgd"}, "Received: ['optimizer']"),
        ({"a_optimizer": "sgd", "b_optimizer": "sgd", "loss": "mse"}, "'b_optimizer', 'loss']"),
        ({"a_optimizer": one, "b_optimizer": one}, "an optimizer of its own for each name"),
    ],
)
def test_a_compile_that_fails_changes_nothing(given, message):
    model, _ = two_slots()
    group = model.optimizer
    with pytest.raises(ValueError, match=re.escape(message)):
        model.compile(**given)
    assert model.optimizer is group and not one.built


def test_a_model_can_be_compiled_again():
    model, _ = two_slots()
    a, b = LossScaleOptimizer(Adam(0.1)), SGD(0.1)
    for _ in range(2):
        model.compile(a_optimizer=a, b_optimizer=b)
        fit(model, DATA, epochs=1)
    # With its optimizers as they were.
    assert int(a.iterations) == int(b.iterations) == int(model.step) == 8
    assert len({v.path for v in a.variables}) == len(a.variables)


# Averages


def test_averages_are_swapped_in_and_out():
    """The slot with an average ends as its optimizer by itself does; the other is left alone."""
    swap = keras.callbacks.SwapEMAWeights
    seen = []

    class See(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            networks = self.model.networks if hasattr(self.model, "networks") else {}
            seen.append(numbers(networks.get("b", self.model).trainable_variables))

    def average():
        return Adam(0.1, use_ema=True, ema_momentum=0.7)

    model, (_, plain) = two_slots()
    other = copy_of(model.networks["a"])
    model.compile(a_optimizer=SGD(0.1), b_optimizer=average())
    fit(model, DATA, epochs=2, callbacks=[swap(swap_on_epoch=True), See()])
    plain.compile(average(), "mse")
    fit(plain, INPUTS, TARGETS, epochs=2, callbacks=[swap(swap_on_epoch=True), See()])
    seen += [numbers(model.networks["b"].weights), numbers(plain.weights)]
    for mine, expected in ((seen[0], seen[2]), (seen[1], seen[3]), (seen[4], seen[5])):
        for x, y in zip(mine, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
    other.compile(SGD(0.1), "mse")
    fit(other, INPUTS, TARGETS, epochs=2)
    for x, y in zip(numbers(other.weights), numbers(model.networks["a"].weights), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


def test_averages_that_no_slot_keeps():
    model, _ = two_slots()
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    swap.set_model(model)
    with pytest.raises(ValueError, match="`use_ema=True` in one slot .* `ema_decay`"):
        swap.on_epoch_end(0)
