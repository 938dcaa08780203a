"""The tasks of `accelerator.py` that use Keras: on JAX, or on PyTorch."""

import json
import math
import pathlib
import platform
import time

import keras
import numpy as np
from keras import ops

REFERENCE = pathlib.Path(__file__).with_name("accelerator_reference.json")
IS_JAX = keras.backend.backend() == "jax"
SMOKE_MODELS = ("vae_bernoulli", "gan_r1")
# Of `equal`, relative: logs of the first step; its gradients, as Adam's moments hold them, to the
# root of their mean square; and logs of the second step, which Adam magnifies the rounding of.
TOLERANCES = {"logs": 1e-4, "moments": 1e-3, "later_logs": 2e-3}
FLOOR = 1e-5  # below which a logged value counts as 0
WARM_UP, ROUNDS = 3, 5


def wait(tree=None):
    """Waits until the device has finished."""
    if IS_JAX:
        import jax

        jax.block_until_ready(jax.tree.leaves(tree))
    else:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


# device


def device(record, limits):
    record(python=platform.python_version(), keras=keras.version(), backend=keras.config.backend())
    if IS_JAX:
        import jax

        record(jax=jax.__version__, device=jax.devices()[0].device_kind)
    else:
        import torch

        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        record(torch=torch.__version__, device=name)
    side, size, seconds = (256, 2**20, 0) if limits.smoke else (8192, 2**31, 0.5)
    for dtype in ("float32", "bfloat16"):
        record(**{f"matmul_{dtype}_tflops": round(matmul_rate(side, dtype, seconds) / 1e12, 4)})
    record(copy_gb_per_second=round(copy_rate(size, seconds) / 1e9, 1))


def compiled(function):
    """A function of tensors as the backend runs it fastest."""
    if IS_JAX:
        import jax

        return jax.jit(function)
    return function


def matmul_rate(side, dtype, seconds):
    """Operations a second of a product of two square matrices of random numbers."""
    a, b = (keras.random.normal((side, side), dtype=dtype, seed=seed) for seed in (0, 1))
    step = compiled(lambda a, b: ops.matmul(a, b))
    return 2 * side**3 / seconds_of(lambda: step(a, b), seconds)


def copy_rate(size, seconds):
    """Bytes read and written a second by adding 1 to `size` bytes of float32."""
    x = ops.zeros((size // 4,))
    step = compiled(lambda x: x + 1)
    return 2 * size / seconds_of(lambda: step(x), seconds)


def seconds_of(step, seconds):
    """The median over rounds of the seconds that a call takes, measured within `seconds`; of one
    round of one call if that is 0."""
    for _ in range(WARM_UP if seconds else 1):
        wait(step())
    start = time.perf_counter()
    wait(step())
    once = time.perf_counter() - start
    calls = max(1, min(1000, int(seconds / ROUNDS / max(once, 1e-6))))
    found = []
    for _ in range(ROUNDS if seconds else 1):
        start = time.perf_counter()
        for _ in range(calls):
            last = step()
        wait(last)
        found.append((time.perf_counter() - start) / calls)
    return float(np.median(found))


# equal


def equal(record, limits):
    reference = json.loads(REFERENCE.read_text())
    names = SMOKE_MODELS if limits.smoke else list(reference)
    found = {}
    record(tolerances=TOLERANCES, of=len(names), models=found)
    for name, numbers in numbers_of_steps(names, lambda: limits.left() < 10):
        try:
            found[name] = differences(numbers(), reference[name])
        except Exception as error:
            found[name] = {"equal": False, "error": f"{type(error).__name__}: {error}"[:500]}
        record(models=found)


def differences(found, expected):
    """The largest relative differences, and whether they are within the tolerances."""
    logs = [
        max(abs(a[term] - b[term]) / max(abs(b[term]), FLOOR) for term in b)
        for a, b in zip(found["logs"], expected["logs"], strict=True)
    ]
    moments = max(
        np.max(np.abs(np.subtract(a, b))) / max(b[0], FLOOR)
        for a, b in zip(found["moments"], expected["moments"], strict=True)
    )
    result = {"logs": logs[0], "moments": float(moments), "later_logs": logs[1]}
    return {**result, "equal": all(result[key] <= TOLERANCES[key] for key in TOLERANCES)}


def write_reference():
    from model_table import MODELS

    found = {name: numbers() for name, numbers in numbers_of_steps(MODELS)}
    text = ",\n".join(f'"{name}": {json.dumps(numbers)}' for name, numbers in found.items())
    REFERENCE.write_text(f"{{\n{text}\n}}\n")


def numbers_of_steps(names, stops=lambda: False):
    """Pairs of a model's name and a function that gives the numbers of its first two steps.

    Weights and draws come from NumPy, and products are computed in full float32.
    """
    from model_table import MODELS
    from tabled_random import TABLED
    from tiny_training import adams, assign_by_hand, step_batch

    def prepared(name):
        model = MODELS[name].build()
        assign_by_hand(model)
        model.compile(**adams(model, 1e-3))
        model.optimizer.build(model.trainable_variables)
        return model, step_batch(model)

    before = {name: getattr(keras.random, name) for name in TABLED}
    for name, draw in TABLED.items():
        setattr(keras.random, name, draw)
    try:
        yield from (_compiled_together if IS_JAX else _one_by_one)(names, prepared, stops)
    finally:
        for name, draw in before.items():
            setattr(keras.random, name, draw)


def _compiled_together(names, prepared, stops):
    """Models are traced one by one, on the host's CPU, and compiled by several threads."""
    from concurrent.futures import ThreadPoolExecutor

    import jax

    steps = {}
    with ThreadPoolExecutor() as pool:
        for name in names:
            if stops():
                break
            with jax.default_device(jax.devices("cpu")[0]):
                model, batch = prepared(name)
            state = jax.tree.map(np.asarray, state_of(model))
            with jax.default_matmul_precision("highest"):
                lowered = jax.jit(model.train_step).lower(state, batch)
            steps[name] = pool.submit(_compile, lowered), state, batch, moments_of(model)
        for name, (future, *arguments) in steps.items():
            yield name, lambda: _jax_numbers(future.result(), *arguments)  # noqa: B023


def _compile(lowered):
    """The compiled step; without a search for the fastest kernels, if one can do without it."""
    try:
        return lowered.compile({"xla_gpu_autotune_level": "0"})
    except Exception:
        return lowered.compile()


def _jax_numbers(step, state, batch, places):
    logs, metrics = [], state[3]
    for i in range(2):
        found, state = step((*state[:3], metrics), batch)  # Logs are of this step alone.
        logs.append({term: float(value) for term, value in found.items()})
        if i == 0:
            moments = [signature(state[2][place]) for place in places]
    return {"logs": logs, "moments": moments}


def _one_by_one(names, prepared, stops):
    import torch

    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        for name in names:
            if stops():
                return
            yield name, lambda: _torch_numbers(*prepared(name))  # noqa: B023
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def _torch_numbers(model, batch):
    logs = []
    for i in range(2):
        model.reset_metrics()
        found = model.train_on_batch(*batch, return_dict=True)
        logs.append({term: float(value) for term, value in found.items()})
        if i == 0:
            values = [model.optimizer.variables[place] for place in moments_of(model)]
            moments = [signature(ops.convert_to_numpy(value)) for value in values]
    return {"logs": logs, "moments": moments}


def state_of(model):
    """What a step of JAX takes and gives."""
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([variable.value for variable in group] for group in groups)


def moments_of(model):
    """The places of the first moments among the optimizer's variables."""
    variables = model.optimizer.variables
    return [i for i, variable in enumerate(variables) if "momentum" in variable.path]


def signature(array):
    """Of an array: the root of its mean square, and a sum with fixed signs, equally scaled."""
    array = np.asarray(array, "float64").ravel()
    signs = np.random.default_rng(array.size).choice([-1.0, 1.0], array.size)
    return [float(np.sqrt(np.mean(array**2))), float(array @ signs / math.sqrt(array.size))]


# Speed


def measure(name, record, limits):
    """Milliseconds of a training step of a model, in all the ways to run it."""
    rows = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            settings = build(name, limits.smoke)
        finally:
            keras.config.set_dtype_policy("float32")
        dtype, batches = policy.removeprefix("mixed_"), ImageSource(settings, limits.smoke)
        record(batch=settings["batch"])
        for way, (seconds, flops) in measured(settings, batches, dtype, limits):
            rows[f"{way}, {dtype}"] = row = {"milliseconds": round(1000 * seconds, 4)}
            if flops and dtype in limits.peak:
                row["share"] = round(flops / seconds / limits.peak[dtype], 5)
            record(rows=rows, flops_of_a_step=flops)


def measured(settings, batches, dtype, limits):
    """Pairs of a way to run steps, and their seconds and operations."""
    flops, once = bare_step(settings, batches, limits) if IS_JAX else (None, None)
    if once is not None:
        yield "bare step", (once, flops)
    often = settings["steps_per_execution"] if IS_JAX else 1
    many = f", {often} steps a call" if IS_JAX else ""
    ways = [(f"fit on device{many}", often, True)]
    if dtype == "float32":
        ways.append(("fit", 1, False))
        # Where a step takes long, it does not matter who calls it.
        if IS_JAX and not hasattr(settings["model"], "num_stages"):
            ways += [(f"fit{many}", often, False), ("fit on device", 1, True)]
    if limits.smoke:
        ways = ways[:1]
    for way, steps, on_device in ways:
        if limits.left() < 5:
            return
        seconds = fit_seconds(settings, batches, steps, on_device, once, limits)
        once = once or seconds
        yield way, (seconds, flops)


def build(name, smoke):
    """The model, a function that gives what `compile` takes, the batch and the steps a call."""
    keras.utils.set_random_seed(0)
    settings = {"steps_per_execution": 2 if smoke else 50}
    if name == "pro_vlae":
        from keras_disentangle.applications import ProVLAE

        size = 16 if smoke else 64
        model = ProVLAE(image_shape=(size, size, 1), rung_sizes=(3, 3, 3), seed=0)
        batch = 4 if smoke else 100

        def optimizers():
            return {"optimizer": keras.optimizers.Adam(5e-4)}

    elif name == "info_gan":
        from keras_disentangle import models
        from keras_disentangle.applications.info_gan.recipes import PRESETS

        preset = PRESETS["mnist"]
        model, optimizers = models.InfoGAN(**preset.model_arguments(), seed=0), preset.optimizers
        batch = 4 if smoke else 128
    elif name == "factor_vae":
        from factor_vae_step import DISCRIMINATOR_ADAM, VAE_ADAM, compiled_model

        class Size:
            image_size = 16 if smoke else 64

        model = compiled_model(Size)
        batch = 4 if smoke else 64

        def optimizers():
            return {
                "vae_optimizer": keras.optimizers.Adam(**VAE_ADAM),
                "discriminator_optimizer": keras.optimizers.Adam(**DISCRIMINATOR_ADAM),
            }

    else:
        from _accelerator_torch import GROWN, SMALL

        from keras_disentangle import models
        from keras_disentangle.applications.progressive_gan.recipes import PRESETS

        sizes = SMALL if smoke else GROWN
        preset = PRESETS["paper"]
        preset = type(preset)(
            **{key: sizes[key] for key in ("resolution", "base_channels", "max_channels")}
        )
        model = models.ProgressiveGAN(**preset.networks(), hessian_penalty={}, seed=0)
        model.ramps["hessian_weight"].set(0.1, 0.1, 0, 0)
        batch, optimizers = sizes["batch"], preset.optimizers
        settings["steps_per_execution"] = 2 if smoke else 8
    return {**settings, "model": model, "optimizers": optimizers, "batch": batch}


class ImageSource:
    """Random images for a model, on the host or on the device."""

    def __init__(self, settings, smoke):
        self.batch = settings["batch"]
        model = settings["model"]
        is_gan = hasattr(model, "generator")
        shape = model.generator.output_shape[1:] if is_gan else model.image_shape
        size = max(2 * self.batch, 16 if smoke else 4096)
        self.images = np.random.default_rng(0).integers(256, size=(size, *shape), dtype="uint8")

    def of(self, steps, on_device):
        import keras_disentangle as kd

        found = kd.datasets.image_batches(self.images, self.batch, seed=0, steps_per_epoch=steps)
        return found.on_device() if on_device else found

    def one(self):
        return (self.images[: self.batch].astype("float32") / 255,)


def bare_step(settings, batches, limits):
    """The operations of a compiled step on JAX, and the seconds that it takes."""
    import jax

    model = settings["model"]
    model.compile(**settings["optimizers"]())
    model.optimizer.build(model.trainable_variables)
    state, batch = state_of(model), jax.device_put(batches.one())
    lowered = jax.jit(model.train_step, donate_argnums=0).lower(state, batch)
    cost = lowered.cost_analysis() or {}
    step = lowered.compile()
    # The model keeps its own variables: a donated state is gone.
    state = jax.tree.map(lambda x: x.copy(), state)

    def once():
        nonlocal state
        logs, state = step(state, batch)
        return logs

    seconds = seconds_of(once, 0 if limits.smoke else 1.5)
    return float(cost.get("flops", 0)) or None, seconds


class Clock(keras.callbacks.Callback):
    """Measures the seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        wait()
        self.seconds.append(time.perf_counter() - self._start)


def fit_seconds(settings, batches, steps_per_execution, on_device, once, limits):
    """The median seconds of a step within `fit`, over epochs of about half a second."""
    model = settings["model"]
    model.compile(**settings["optimizers"](), steps_per_execution=steps_per_execution)
    calls = 2 if limits.smoke else math.ceil(0.5 / (once or 5e-3) / steps_per_execution)
    steps = steps_per_execution * min(calls, 2000)
    clock, epochs = Clock(), 2 if limits.smoke else 4
    source = batches.of(steps, on_device)
    model.fit(source, epochs=epochs, verbose=0, callbacks=[clock])
    return float(np.median(clock.seconds[1:])) / steps  # The first has compiled.


# train


def train(record, limits):
    """pro-VLAE on rendered Shapes3D, by the recipe of the paper, or with shorter stages."""
    import keras_disentangle as kd
    from keras_disentangle.applications.provlae.recipes import RECIPES
    from keras_disentangle.datasets.image_batches import ImageBatches

    recipe = RECIPES["shapes3d"]
    size, batch = (16, 8) if limits.smoke else (recipe.image_shape[0], recipe.batch_size)
    many = (2 if limits.smoke else 50) if IS_JAX else 1
    data = kd.datasets.Shapes3D(image_size=size)
    start = time.monotonic()
    # Each geometry is drawn when it is first seen: all of them, before batches ask for them.
    images = data.images if limits.smoke else rendered(data)
    number = 64 if limits.smoke else len(data)
    record(rendered_seconds=round(time.monotonic() - start, 1), images=number)

    def new():
        keras.utils.set_random_seed(0)
        model = kd.applications.ProVLAE(
            image_shape=(size, size, 3),
            rung_sizes=recipe.rung_sizes,
            beta=recipe.beta,
            gamma=recipe.gamma,
            seed=0,
        )
        model.compile(keras.optimizers.Adam(recipe.learning_rate), steps_per_execution=many)
        return model

    # A first training tells how long a step takes here; its weights are thrown away.
    clock, probe = Clock(), 2 * many if limits.smoke else 20 * many
    batches = ImageBatches(images, number, batch, 0, probe).on_device()
    model = new()
    model.fit(batches, epochs=2, verbose=0, callbacks=[clock])
    step_seconds = clock.seconds[-1] / probe
    held = batches.device_copy
    # The scores take some seconds after each stage.
    stages = len(recipe.rung_sizes)
    fit_in = int((limits.left() - 40) / step_seconds / stages)
    length = 2 * many if limits.smoke else min(recipe.steps_per_stage, fit_in)
    length = max(many, length // many * many)
    record(
        step_milliseconds=round(1000 * step_seconds, 4),
        steps_per_stage=length,
        recipe_steps_per_stage=recipe.steps_per_stage,
        stages=[],
    )
    model, batches = new(), ImageBatches(images, number, batch, 0, length).on_device()
    batches.device_copy = held
    fade_in = kd.callbacks.ProgressiveFadeIn(epochs_per_stage=1, fade_steps=recipe.fade_steps)
    keep = _Keep(record, limits, data, stages)
    start = time.monotonic()
    model.fit(batches, epochs=stages, verbose=0, callbacks=[fade_in, keep])
    record(trained_seconds=round(time.monotonic() - start, 1))


class _Keep(keras.callbacks.Callback):
    """Keeps the weights after each stage, and scores them."""

    def __init__(self, record, limits, data, stages):
        super().__init__()
        self._record, self._limits, self._data = record, limits, data
        self._found, self._stages = [], stages

    def on_epoch_end(self, epoch, logs=None):
        out = self._limits.out
        paths = [f"{i:03}.{v.path.replace('/', '.')}" for i, v in enumerate(self.model.weights)]
        values = [ops.convert_to_numpy(v) for v in self.model.weights]
        np.savez(out / "provlae.npz", **dict(zip(paths, values, strict=True)))
        try:
            import h5py  # noqa: F401

            self.model.save(out / "provlae.keras")
        except ImportError:
            pass
        logs = {name: float(value) for name, value in logs.items()}
        self._found.append({"step": int(self.model.step), "logs": logs})
        self._record(stages=self._found)
        self._found[-1]["scores"] = scores(self.model, self._data, self._limits.smoke)
        self._record(stages=self._found)


def scores(model, data, smoke):
    import keras_disentangle as kd

    sizes = {"num_samples": 64, "num_votes": 20} if smoke else {"num_samples": 20_000}
    return kd.evaluate(model, data, ["mig", "mig_sup", "factor_vae", "information"], **sizes)


def rendered(data):
    """A function from indices to images, of all images, rendered once by several threads."""
    from concurrent.futures import ThreadPoolExecutor

    images = np.empty((len(data), *data.image_shape), "uint8")

    def part(start):
        index = np.arange(start, min(start + 2000, len(data)))
        images[index[0] : index[-1] + 1] = data.images(index)

    data.images(np.arange(480))  # Every geometry, one after another: they are cached.
    with ThreadPoolExecutor() as pool:
        list(pool.map(part, range(0, len(data), 2000)))
    return images.__getitem__
