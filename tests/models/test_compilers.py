"""Every train step lowers for TPU and CUDA, and those that differ most compile with XLA.

Lowering needs no such device: what no kernel exists for, what calls back to the host, and what has
a shape that only data would tell, is refused while the step is lowered. `scripts/xla_table.py`
compiles and runs all of them on TensorFlow.
"""

import re

import keras
import numpy as np
import pytest
from model_table import MODELS
from tiny_training import adams, assign_by_hand, fit, numbers, step_batch

# The decomposition by which directions are made orthogonal; each platform has kernels of its own.
ORTHOGONALIZATION = re.compile(
    r"Qr|ProductOfElementaryHouseholderReflectors|(cusolver|lapack_s)_?(geqrf|orgqr|trsm)_ffi"
)

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone exports programs")
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="JAX always compiles with XLA, PyTorch never"
)


def lowered(step, *arguments):
    """The step as a program for three platforms, and the names of what it calls."""
    import jax

    exported = jax.export.export(jax.jit(step), platforms=["tpu", "cuda", "cpu"])(*arguments)
    return exported, set(re.findall(r"custom_call @(\w+)", exported.mlir_module()))


@on_jax
@pytest.mark.parametrize("name", MODELS)
def test_a_step_lowers_for_every_platform(name):
    import jax

    model = MODELS[name].build()
    model.compile(**adams(model))
    model.optimizer.build(model.trainable_variables)
    batch = step_batch(model)
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in group] for group in groups)
    exported, called = lowered(model.train_step, state, batch)
    assert exported.platforms == ("tpu", "cuda", "cpu")
    assert not {name for name in called if not ORTHOGONALIZATION.fullmatch(name)}
    assert not re.search(r"tensor<[^>]*\?", exported.mlir_module())
    # A step gives back the state as it takes it: of other shapes or dtypes, the second step would
    # be compiled anew.
    logs, after = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    before = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == before
    assert set(logs) == set(MODELS[name].terms)


@on_jax
def test_a_call_of_the_host_is_noticed():
    import jax

    def step(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.raises(NotImplementedError, match="callback"):
        lowered(step, np.ones(3, "float32"))


# A statistic of the batch; gradients of gradients; QR, and a branch.
@on_tensorflow
@pytest.mark.parametrize("name", ["beta_tc_vae", "gan_r1", "direction_discovery"])
def test_a_step_compiles_with_xla(name, tabled_noise):
    """It computes what it computes uncompiled; XLA's own draws would be others."""
    found = []
    for settings in ({"run_eagerly": True}, {"jit_compile": True}):
        model = MODELS[name].build()
        assign_by_hand(model)
        logs = fit(model, epochs=1, compile_with=settings)
        assert model.jit_compile is not model.run_eagerly
        # Of the optimizer, the moments: the gradients, before Adam divides them by their size.
        found.append([*map(np.asarray, logs.values()), *numbers(model.optimizer.variables)])
    for eager, compiled in zip(*found, strict=True):
        atol = 1e-4 * np.abs(eager).max(initial=0)
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=atol)
