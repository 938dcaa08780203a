"""What a rung does before, while and after it joins; one step and one optimizer for all stages."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_networks import conv_ladder, dense_ladder
from tiny_training import StepLogs, assign_by_hand, fit

from keras_disentangle.callbacks import ProgressiveFadeIn, RampWeight
from keras_disentangle.models import ProgressiveLadderVAE

DIMENSIONS = {2: slice(3, 5), 1: slice(5, 9)}  # of the rungs' codes in z


@pytest.mark.parametrize(
    "step, writing",
    [(0, []), (4, []), (5, [2]), (8, [2]), (9, [2, 1]), (20, [2, 1])],
)
def test_a_rung_writes_nothing_until_it_fades_in(progressive, step, writing):
    progressive.step.assign(step)
    z = np.random.default_rng(0).normal(size=(4, 9)).astype("float32")
    image = ops.convert_to_numpy(progressive.decode(z))
    for level, dimensions in DIMENSIONS.items():
        changed = z.copy()
        changed[:, dimensions] += 1.0
        same = ops.convert_to_numpy(progressive.decode(changed)) == image
        assert not same.all() if level in writing else same.all(), level


@pytest.mark.parametrize(
    "step, factors", [(3, (1, 1)), (4, (0, 1)), (6, (0.5, 1)), (8, (1, 0)), (11, (1, 0.75))]
)
def test_a_rung_reads_its_level_times_alpha(progressive, step, factors):
    progressive.step.assign(step)
    h = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    for level, factor in zip((2, 1), factors, strict=True):
        read = progressive.enter_rung(level, ops.convert_to_tensor(h))
        np.testing.assert_allclose(ops.convert_to_numpy(read), factor * h, rtol=1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(progressive.enter_rung(3, h)), h)


def test_a_dormant_rung_learns_from_its_divergence_alone(progressive):
    progressive.ramps["alpha_1"].set(0.0, 1.0, 100, 4)
    maps, posterior = progressive.latent_maps[0], progressive.posteriors[0]
    before = [ops.convert_to_numpy(net.weights[0]) for net in (maps, posterior)]
    history = fit(progressive, epochs=30, compile_with={})
    after = [ops.convert_to_numpy(net.weights[0]) for net in (maps, posterior)]
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()
    assert history["kl_1"][-1] < 0.7 * history["kl_1"][0]


class Counted(ProgressiveLadderVAE):
    """Counts how often Python runs through the objective."""

    calls = 0

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        Counted.calls += 1
        return super().compute_loss(x, y, y_pred, sample_weight, training)


class CallsAtSteps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        Counted.calls = 0

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(Counted.calls)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch runs Python at every step")
@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_one_trace_serves_all_stages(steps_per_execution):
    model = Counted(**dense_ladder(), seed=1)
    model.compile("adam", steps_per_execution=steps_per_execution)
    counter = CallsAtSteps()
    fade_in = ProgressiveFadeIn(steps_per_stage=8, fade_steps=3)
    beta = RampWeight("beta", 4.0, steps=10)
    fit(
        model,
        epochs=3,
        batch_size=2,
        callbacks=[fade_in, beta, counter],
        compile_with=False,
    )
    assert int(model.step) == 24
    assert set(counter.calls) == {1}


def test_the_optimizer_keeps_its_state_over_the_stages():
    model = ProgressiveLadderVAE(**conv_ladder(), seed=1)
    assign_by_hand(model)

    class Momenta(keras.callbacks.Callback):
        """The optimizer's variables after each step."""

        def __init__(self):
            super().__init__()
            self.steps = []

        def on_train_batch_end(self, batch, logs=None):
            variables = self.model.optimizer.variables
            self.steps.append([ops.convert_to_numpy(variable) for variable in variables])

    momenta, logs = Momenta(), StepLogs()
    fade_in = ProgressiveFadeIn(steps_per_stage=3, fade_steps=2)
    fit(model, epochs=6, callbacks=[fade_in, logs, momenta])
    assert logs.column("alpha_1").tolist() == [0, 0, 0, 0, 0.5, 1]
    variables = model.optimizer.variables
    iteration = next(i for i, v in enumerate(variables) if "iteration" in v.path)
    assert [int(values[iteration]) for values in momenta.steps] == [1, 2, 3, 4, 5, 6]
    # Adam's second moments only decay by 0.999 a step; a fresh start would drop them to 0.
    for i, variable in enumerate(variables):
        if "velocity" in variable.path:
            for old, new in zip(momenta.steps, momenta.steps[1:], strict=False):
                assert (new[i] >= 0.998 * old[i]).all(), variable.path
