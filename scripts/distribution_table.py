"""Every model of the tests on two devices and in two processes, against one device.

    PYTHONPATH=.:tests python scripts/distribution_table.py [--backends torch jax tensorflow]
        [--models NAME ...] [--kinds devices processes]

Ten steps on the same batch, with equal weights. Prints the largest difference of a variable's
values, relative to its largest one, and that of the logs; and, for a few models, whether a model
that was saved on several devices trains on as it does there when it is loaded on one, and the
reverse ("there", "back": the differences), and whether a run that stopped and was resumed there is
the same, bit for bit ("resumed"). Takes about 20 minutes of one core.

Marked are: batch normalisation, which is of each replica's images on TensorFlow and PyTorch
("norm"); and orthonormal directions ("dirs"), of which Adam makes whole steps where gradients are
nearly zero: their matrices differ more than the losses.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

SAVED = ("vae_gaussian", "factor_vae", "wgan_gp", "progressive_gan")
KINDS = {"torch": ("processes",), "jax": ("devices", "processes")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=["torch", "jax", "tensorflow"])
    parser.add_argument("--models", nargs="+", default=[])
    parser.add_argument("--kinds", nargs="+", default=["devices", "processes"])
    options = parser.parse_args()
    for backend in options.backends:
        kinds = KINDS.get(backend, ("devices", "processes"))
        for kind in (kind for kind in kinds if kind in options.kinds):
            with tempfile.TemporaryDirectory() as folder:
                # That on one device last: it loads what the others saved, and first: they load its.
                for size, what in ((1, "first"), (2, kind), (1, "last")):
                    start(backend, what, size if what == "processes" else 1, folder, options.models)
                table(backend, kind, Path(folder))


def start(backend, what, count, folder, models):
    """Runs one or several processes of this script, and waits for them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    started = []
    for index in range(count):
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        if what == "devices":
            environment["JAX_NUM_CPU_DEVICES"] = "2"
        if backend == "tensorflow" and what == "processes":
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
        child = json.dumps([what, index, port, folder, models])
        started.append(
            subprocess.Popen([sys.executable, __file__, "--child", child], env=environment)
        )
    if any([process.wait() for process in started]):
        raise SystemExit(f"{backend}, {what}: a process failed")


def table(backend, kind, folder):
    found = {
        what: json.loads((folder / f"{what}_0.json").read_text())
        for what in ("first", kind, "last")
    }
    print(f"\n{backend}, {kind}")
    print(f"{'model':28} {'weights':>9} {'logs':>9} {'there':>9} {'back':>9}  resumed")
    for name, one in found["first"].items():
        many, last = found[kind][name], found["last"].get(name, {})
        if "error" in many or "error" in one:
            print(f"{name:28} {many.get('error', one.get('error'))}")
            continue
        cells = [largest(one["weights"], many["weights"]), largest(one["logs"], many["logs"])]
        for what in ("saved", "other"):
            cells.append(largest(many[what], last[what]) if what in many else None)
        text = " ".join(f"{'' if cell is None else format(cell, '.1e'):>9}" for cell in cells)
        print(f"{name:28} {text}  {many.get('resumed', '')} {one['mark']}")
    print(flush=True)


def largest(first, second):
    """The largest difference of two lists of arrays, each relative to the array's largest value."""
    import numpy as np

    return max(
        float(np.max(np.abs(np.subtract(a, b)), initial=0))
        / max(float(np.max(np.abs(a), initial=0)), 1e-2)
        for a, b in zip(first, second, strict=True)
    )


# In a process of its own.


def child(what, index, port, folder, models):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    if os.environ["KERAS_BACKEND"] == "jax":
        from quick_jax import quick_jax

        os.environ.update(quick_jax())
    rank, size = (index, 2) if what == "processes" else (0, 1)
    with strategy(what, index, port):
        from model_table import MODELS

        found = {}
        for name in models or MODELS:
            try:
                found[name] = one_model(name, what, rank, size, Path(folder))
            except Exception as error:
                found[name] = {"error": f"{type(error).__name__}: {str(error)[:150]}"}
                if what == "processes":
                    raise
    (Path(folder) / f"{what}_{index}.json").write_text(json.dumps(found))


def strategy(what, index, port):
    """The scope in which models are made and trained."""
    import keras

    backend = keras.backend.backend()
    if what not in ("devices", "processes"):
        return contextlib.nullcontext()
    if backend == "torch":
        import torch

        address = f"tcp://127.0.0.1:{port}"
        torch.distributed.init_process_group("gloo", init_method=address, rank=index, world_size=2)
        return contextlib.nullcontext()
    if backend == "jax":
        if what == "processes":
            keras.distribution.initialize(f"127.0.0.1:{port}", 2, index)
        distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        keras.distribution.set_distribution(distribution)
        return contextlib.nullcontext()
    import tensorflow as tf

    if what == "processes":
        return tf.distribute.MultiWorkerMirroredStrategy().scope()
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()


def one_model(name, what, rank, size, folder):
    import keras
    import numpy as np
    from model_table import MODELS
    from tiny_networks import IMAGES
    from tiny_training import StepLogs, adams, assign_by_hand, fit, numbers

    from keras_disentangle.callbacks import ExactBackup
    from keras_disentangle.layers.conditional_batch_normalization import BATCH_NORMALIZATIONS

    backend = keras.backend.backend()
    images, y = IMAGES, np.arange(16) // 4
    if name == "wgan_gp" and what in ("first", "last") and backend != "jax":
        # With two discriminator steps, replicas that have half of the batch each cut their halves.
        images = images[np.arange(16).reshape(2, 2, 4).swapaxes(0, 1).ravel()]
    # Processes of TensorFlow are each given the whole batch.
    if backend != "tensorflow":
        images, y = (np.split(x, size)[rank] for x in (images, y))

    def made():
        keras.utils.set_random_seed(0)
        model = MODELS[name].build()
        assign_by_hand(model)
        model.compile(**adams(model, 1e-3))
        return model

    def train(model, epochs, *callbacks):
        given = {"y": y} if getattr(model, "labels", None) is not None else {}
        if name.startswith(("direction", "latent", "shift")):
            given = {}
            if backend == "tensorflow":
                given["batch_size"] = len(IMAGES)
        fit(model, images, epochs, callbacks, False, **given)
        return model

    def compared(model):
        variables = model.trainable_variables
        directions = getattr(model, "directions", None)
        if directions is None:
            return [value.tolist() for value in numbers(variables)]
        matrix = keras.ops.convert_to_numpy(directions.matrix())
        own = {id(v) for v in directions.trainable_variables}
        return [matrix.tolist(), *(v.tolist() for v in numbers(variables) if id(v) not in own)]

    model, logs = made(), StepLogs()
    train(model, 10, logs)
    normalised = any(isinstance(x, BATCH_NORMALIZATIONS) for x in model._flatten_layers())
    mark = "norm" if normalised else "dirs" * hasattr(model, "directions")
    found = {
        "weights": compared(model),
        "logs": [logs.column(term).tolist() for term in logs.steps[0]],
        "mark": mark,
    }
    if name not in SAVED:
        return found
    mine = folder / f"{name}_{what}.keras"
    if what == "first":
        train(made(), 4).save(mine)
        return found
    if what == "last":
        there = next(path for path in folder.glob(f"{name}_*s.keras"))
        found["saved"] = compared(train(keras.models.load_model(there), 3))
        own = keras.models.load_model(folder / f"{name}_first.keras")
        found["other"] = compared(train(own, 3))
        return found
    model = train(made(), 4)
    # On JAX, processes read what is saved together.
    model.save(mine if rank == 0 else folder / f"{name}_{rank}.keras")
    found["saved"] = compared(train(model, 3))
    loaded = keras.models.load_model(folder / f"{name}_first.keras")
    found["other"] = compared(train(loaded, 3))
    if backend == "tensorflow" and what == "processes":
        return found  # `ExactBackup` is refused there.

    class Interrupt(keras.callbacks.Callback):
        only_looks_on = True

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                raise KeyboardInterrupt

    # With it too: for batches of unknown size, replicas may add numbers up in another order.
    whole = train(made(), 6, ExactBackup(folder / f"{name}_whole"))
    path = folder / f"{name}_backup"
    with contextlib.suppress(KeyboardInterrupt):
        train(made(), 6, ExactBackup(path), Interrupt())
    resumed = train(made(), 6, ExactBackup(path))
    pairs = zip(numbers(whole.variables), numbers(resumed.variables), strict=True)
    found["resumed"] = "yes" if all(np.array_equal(a, b) for a, b in pairs) else "no"
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*json.loads(sys.argv[2]))
    else:
        main()
