import keras
import numpy as np
import pytest
from backup_runs import make
from tiny_networks import IMAGES, dense_ladder, flat_networks
from tiny_training import StepLogs, fit

from keras_disentangle.callbacks import RampWeight
from keras_disentangle.models import VAE, ProgressiveLadderVAE

IS_TORCH = keras.backend.backend() == "torch"


def beta(start, target, first_step, num_steps, step):
    return start + (target - start) * np.clip((step - first_step) / max(num_steps, 1), 0, 1)


def vae(**compile_with):
    model = VAE(**flat_networks(2), seed=1)
    model.compile(keras.optimizers.Adam(1e-3), **compile_with)
    return model


def train(model, *callbacks, epochs=3):
    """Eight steps an epoch; returns the logs of each call of the train step."""
    logs = StepLogs()
    fit(model, epochs=epochs, batch_size=2, compile_with=False, callbacks=[*callbacks, logs])
    return logs


@pytest.mark.parametrize("steps_per_execution", [1] if IS_TORCH else [1, 8])
def test_every_step_logs_the_exact_value(steps_per_execution):
    model = vae(steps_per_execution=steps_per_execution)
    logs = train(model, RampWeight("beta", 8.0, steps=13))
    steps = np.arange(steps_per_execution - 1, 24, steps_per_execution)
    expected = beta(1.0, 8.0, 0, 13, steps)
    np.testing.assert_allclose(logs.column("beta"), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(not IS_TORCH, reason="the other backends run several steps in one call")
def test_torch_refuses_several_steps_in_one_call():
    with pytest.raises(ValueError, match="steps_per_execution"):
        train(vae(steps_per_execution=8))


@pytest.mark.parametrize("start, first", [(None, 1.0), (0.0, 0.0), (3.0, 3.0)])
def test_start(start, first):
    logs = train(make(vae), RampWeight("beta", 2.0, steps=4, start=start), epochs=1)
    expected = beta(first, 2.0, 0, 4, np.arange(8))
    np.testing.assert_allclose(logs.column("beta"), expected, rtol=1e-6)


def test_no_steps_are_a_jump():
    assert (
        train(make(vae), RampWeight("beta", 3.0, steps=0), epochs=1).column("beta").tolist()
        == [3.0] * 8
    )


def test_a_second_ramp_sets_out_from_the_present_value():
    model = make(vae)
    train(model, RampWeight("beta", 5.0, steps=16), epochs=1)
    logs = train(model, RampWeight("beta", 0.0, steps=8), epochs=1)
    np.testing.assert_allclose(
        logs.column("beta"), beta(3.0, 0.0, 8, 8, np.arange(8, 16)), rtol=1e-6
    )


def test_every_ramp_of_a_model_can_be_set():
    model = ProgressiveLadderVAE(**dense_ladder())
    model.compile("adam")
    callbacks = [RampWeight("alpha_2", 0.5, steps=4, start=0.0), RampWeight("beta", 4.0, steps=6)]
    logs = train(model, *callbacks, epochs=1)
    steps = np.arange(8)
    np.testing.assert_allclose(logs.column("alpha_2"), beta(0, 0.5, 0, 4, steps), rtol=1e-6)
    np.testing.assert_allclose(logs.column("beta"), beta(1, 4, 0, 6, steps), rtol=1e-6)
    assert (logs.column("alpha_1") == 1).all()


@pytest.mark.parametrize("start", [None, 0.0])
def test_a_resumed_run_goes_on(start, tmp_path):
    def callback():
        return RampWeight("beta", 8.0, steps=20, start=start)

    whole = train(make(vae), callback(), epochs=3).column("beta")
    model = make(vae)
    first = train(model, callback(), epochs=1).column("beta")
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    rest = train(model, callback(), epochs=2).column("beta")
    np.testing.assert_allclose(np.concatenate([first, rest]), whole, rtol=1e-6)
    assert int(model.step) == 24


def test_unknown_names_list_the_known_ones():
    model = ProgressiveLadderVAE(**dense_ladder())
    model.compile("adam")
    message = r"`name` must be one of .*\['alpha_1', 'alpha_2', 'beta'\]. Received: name='alpha_3'"
    with pytest.raises(ValueError, match=message):
        fit(model, callbacks=[RampWeight("alpha_3", 1.0, steps=3)])
    with pytest.raises(ValueError, match="'hessian_weight' .*made with `hessian_penalty="):
        fit(model, callbacks=[RampWeight("hessian_weight", 1.0, steps=3)])
    plain = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    plain.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"\[\]. Received: name='beta'"):
        plain.fit(IMAGES[:, 0, 0], IMAGES[:, 0, 0], callbacks=[RampWeight("beta", 1.0, steps=3)])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"target": -1}, "`target` must be .* >= 0.* Received: target=-1"),
        ({"target": float("nan")}, "`target` .* Received: target=nan"),
        ({"steps": -5}, "`steps` .* Received: steps=-5"),
        ({"steps": 2.5}, r"`steps` must be an integer >= 0. Received: steps=2.5"),
        ({"steps": float("inf")}, "`steps` .* Received: steps=inf"),
        ({"start": -0.5}, "`start` .* Received: start=-0.5"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RampWeight("beta", **{"target": 1.0, "steps": 10, **arguments})
