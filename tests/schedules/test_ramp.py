import keras
import numpy as np
import pytest
from keras import ops

from keras_disentangle.schedules import Ramp


def value(start, target, first_step, num_steps, step):
    """The definition, in float64."""
    if step >= first_step + num_steps:
        return target
    return start + (target - start) * min(max((step - first_step) / max(num_steps, 1), 0), 1)


@pytest.mark.parametrize(
    "numbers",
    [(0, 1, 0, 10), (0, 1, 7, 5), (8, 2, 3, 4), (0.5, 0.5, 0, 3), (0, 1, 4, 0), (1, 0, 0, 0)],
)
def test_definition(numbers):
    ramp = Ramp(*numbers)
    for step in range(20):
        assert float(ramp(step)) == pytest.approx(value(*numbers, step), rel=1e-6, abs=1e-7)
        assert bool(ramp.is_active(step)) == (step >= numbers[2])


def test_a_step_may_be_a_number_an_array_or_a_variable():
    ramp = Ramp(0.0, 1.0, first_step=100, num_steps=50)
    variable = keras.Variable(125, dtype="int32", trainable=False)
    for step in (125, np.int64(125), ops.convert_to_tensor(125), variable):
        assert float(ramp(step)) == 0.5


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16"])
def test_millions_of_steps_are_exact_in_every_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        numbers = (0.0, 1.0, 5_000_001, 20_000)
        ramp = Ramp(*numbers)
        for step in (5_000_001, 5_000_002, 5_012_346, 5_020_000, 5_020_001):
            result = ramp(ops.convert_to_tensor(step, "int32"))
            assert keras.backend.standardize_dtype(result.dtype) == "float32"
            assert float(result) == pytest.approx(value(*numbers, step), rel=1e-6)
    finally:
        keras.config.set_dtype_policy(before)


def test_without_a_target_it_is_constant():
    ramp = Ramp(3.0)
    assert [float(ramp(step)) for step in (0, 1, 1000)] == [3.0] * 3
    assert bool(ramp.is_active(0))


def test_set_without_start_goes_on_from_the_present_value():
    ramp = Ramp(0.0, 1.0, 0, 10)
    ramp.set(None, 5.0, 4, 10)
    assert float(ramp(4)) == pytest.approx(0.4, rel=1e-6)
    assert float(ramp(9)) == pytest.approx(2.7, rel=1e-6)
    assert float(ramp(14)) == 5.0


def test_holds():
    ramp = Ramp(0.0, 8.0, 3, 10)
    assert ramp.holds(8.0, 10) and ramp.holds(8.0, 10, 0.0)
    assert not any((ramp.holds(7.0, 10), ramp.holds(8.0, 11), ramp.holds(8.0, 10, 1.0)))


def test_config_round_trip():
    ramp = Ramp(0.5, 2.0, 3, 7, name="beta")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ramp))
    assert again.name == "beta" and again.get_config() == ramp.get_config()
    assert [float(again(step)) for step in range(12)] == [float(ramp(step)) for step in range(12)]
    assert not ramp.trainable_variables


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"start": -1}, "`start` must be a finite number >= 0. Received: start=-1"),
        ({"start": float("nan")}, "`start` must be .* Received: start=nan"),
        ({"target": -0.5}, "`target` must be .* Received: target=-0.5"),
        ({"target": float("inf")}, "`target` must be .* Received: target=inf"),
        ({"first_step": -1}, "`first_step` must be an integer >= 0. Received: first_step=-1"),
        ({"first_step": 1.5}, "`first_step` must be an integer"),
        ({"num_steps": -2}, "`num_steps` must be an integer >= 0. Received: num_steps=-2"),
        ({"num_steps": 0.5}, "`num_steps` must be an integer"),
    ],
)
def test_bad_numbers_are_named_and_change_nothing(arguments, message):
    with pytest.raises(ValueError, match=message):
        Ramp(**arguments)
    ramp = Ramp(0.0, 1.0, 2, 4)
    with pytest.raises(ValueError, match=message):
        ramp.set(**{"start": 1.0, "target": 2.0, "first_step": 0, "num_steps": 1, **arguments})
    assert [float(ramp(step)) for step in (2, 4, 6)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("step", [float("nan"), 1.5, -1, "1", None])
def test_steps_that_are_none_are_named(step):
    ramp = Ramp(0.0, 1.0, 2, 4)
    for use in (ramp, ramp.is_active):
        with pytest.raises(ValueError, match="`step` must be an integer >= 0. Received: step="):
            use(step)
    # Called, a layer makes a tensor of its argument first, which not every backend can.
    with pytest.raises((ValueError, TypeError)):
        ramp(np.array([["a"]]))
    with pytest.raises(ValueError, match="`step` must hold integers. Received: step of type str"):
        ramp.is_active(np.array([["a"]]))
    assert float(ramp(np.int64(4))) == float(ramp(ops.convert_to_tensor(4))) == 0.5
