"""One of two processes of PyTorch that train together; writes what it found as JSON.

Arguments: its index, the number of processes, the port of the first, and a folder.
"""

import contextlib
import datetime
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from model_table import MODELS, factor_vae, info_gan  # noqa: E402
from tiny_applications import TINY  # noqa: E402
from tiny_networks import IMAGES, flat_networks  # noqa: E402
from tiny_training import StepLogs, adams, assign_by_hand, fit, numbers  # noqa: E402

from keras_disentangle.applications._shared import registry  # noqa: E402
from keras_disentangle.applications._shared.devices import PartOfBatches  # noqa: E402
from keras_disentangle.callbacks import ExactBackup, LatentTraversal  # noqa: E402
from keras_disentangle.models import VAE  # noqa: E402
from keras_disentangle.penalties import DIP, Capacity, FactorizedSupport  # noqa: E402
from keras_disentangle.trainers import _torch_processes as processes  # noqa: E402

# With two discriminator steps, processes that have half of the batch each cut their halves.
ACROSS = np.arange(16).reshape(2, 2, 4).swapaxes(0, 1).ravel()


def batch_statistics():
    """The mean KL of one process's images is not that of the other's."""
    penalties = [DIP(2.0, kind="ii", every=2), Capacity(3.0, capacity=1.0), FactorizedSupport(2.0)]
    return VAE(**flat_networks(3), penalties=penalties, seed=1)


# Terms of each kind that a batch or a draw couples, and each kind of step.
BUILDERS = {
    **{name: MODELS[name].build for name in ("vae_gaussian", "beta_tc_vae", "teacher_student_vae")},
    **{name: MODELS[name].build for name in ("wgan_gp", "conditional_gan", "gan_hessian", "qlae")},
    "progressive_gan": MODELS["progressive_gan"].build,
    "batch_statistics": batch_statistics,
    "factor_vae": factor_vae,
}
NORMALISED = {"normalised": lambda: info_gan(batch_normalization=True)}


def made(build, rank=0):
    """A compiled model; that of the first process must become that of all."""
    keras.utils.set_random_seed(0)
    model = build()
    assign_by_hand(model, seed=rank)
    model.compile(**adams(model, 1e-3))
    return model


def part(array, rank, size):
    return np.split(array, size)[rank]


def ten_steps(name, rank=0, size=1):
    """Logs and variables after ten steps on this process's part of the batch."""
    model, logs = made({**BUILDERS, **NORMALISED}[name], rank), StepLogs()
    images = part(IMAGES[ACROSS] if name == "wgan_gp" and size == 1 else IMAGES, rank, size)
    is_labelled = getattr(model, "labels", None) is not None
    given = {"y": part(np.arange(16) // 4, rank, size)} if is_labelled else {}
    fit(model, images, epochs=10, compile_with=False, callbacks=[logs], **given)
    variables = (*model.variables, *model.optimizer.variables, *model.metrics_variables)
    return {
        "logs": {term: logs.column(term).tolist() for term in logs.steps[0]},
        "weights": [value.tolist() for value in numbers(model.weights)],
        "all": [value.tolist() for value in numbers(variables)],
        "names": [v.path.split("/")[-1] for v in model.weights],
    }


def joined_validation(rank=0, size=1):
    """The history of two epochs with validation data, in parts, in order."""
    model = made(MODELS["vae_bernoulli"].build, rank)
    given = {"validation_data": (part(IMAGES[::-1], rank, size), None)}
    return fit(model, part(IMAGES, rank, size), compile_with=False, **given)


def message(run):
    try:
        return f"no error: {run()}"
    except ValueError as error:
        return str(error)


class Stop(keras.callbacks.Callback):
    """Stops training, or raises an error, after a batch of one process."""

    def __init__(self, rank, error=None):
        super().__init__()
        self._is_due, self._error = rank == 1, error

    def on_train_batch_end(self, batch, logs=None):
        if self._is_due and self._error:
            raise self._error
        self.model.stop_training = self._is_due


def errors(rank):
    """What both processes are told of each mistake that one of them makes."""
    vae = MODELS["vae_bernoulli"].build
    poisoned = np.array(part(IMAGES, rank, 2))

    def batches(n, size=4):
        for i in range(n):
            yield ((poisoned if i != 2 else bad)[:size],)

    bad = poisoned.copy()
    if rank == 1:
        bad[:4] = np.nan
    gan, other = made(info_gan, rank), made(vae, rank)
    found = {
        "nan": message(lambda: gan.fit(batches(4), verbose=0)),
        "nan in a VAE": message(lambda: other.fit(batches(4), verbose=0)),
        "steps": message(lambda: made(vae).fit(batches(1 + rank), epochs=1, verbose=0)),
        "images": message(lambda: made(vae).fit(batches(2, 4 - rank), epochs=1, verbose=0)),
        "rows": message(lambda: made(vae).fit(poisoned[: 8 - rank], verbose=0)),
        "batch_size": message(lambda: made(vae).fit(poisoned, batch_size=4 - rank, verbose=0)),
        "seed": message(lambda: fit(VAE(**flat_networks(3), seed=rank), poisoned)),
        "model": message(lambda: fit(VAE(**flat_networks(3 + rank), seed=1), poisoned)),
        "jit": message(lambda: fit(vae(), poisoned, compile_with={"jit_compile": True})),
    }
    for name, stop in {"stop": Stop(rank), "error": Stop(rank, ValueError("mine"))}.items():
        model = made(vae)
        found[name] = message(lambda m=model, s=stop: fit(m, poisoned, 3, [s], False, batch_size=4))
    return found


def alone(rank):
    """What one process may do without the other: evaluate, predict and draw."""
    model = made(MODELS["beta_tc_vae"].build)
    if rank == 1:
        return "nothing"
    model.predict(IMAGES, verbose=0)
    return model.evaluate(IMAGES, verbose=0, return_dict=True)


def resumed(rank, folder):
    """Whether a training that stopped in an epoch ends as one that did not; files written."""
    batches = part(IMAGES, rank, 2)

    def run(name, *callbacks):
        model = made(factor_vae, rank)
        backup = ExactBackup(folder / name, save_freq=1)
        pictures = LatentTraversal(folder / f"pictures_{rank}", every=1)
        arguments = {"batch_size": 2, "compile_with": False}
        callbacks = [pictures, backup, *callbacks]
        with contextlib.suppress(KeyboardInterrupt):
            history = fit(model, batches, 2, callbacks, **arguments)
            return [history, [value.tolist() for value in numbers(model.variables)]]

    class Interrupt(keras.callbacks.Callback):
        only_looks_on = True

        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.step) == 6:
                raise KeyboardInterrupt

    whole = run("whole")
    run("killed", Interrupt())
    return {"same": run("killed") == whole, "folder": f"pictures_{rank}"}


def application(folder):
    """The weights of an application's training, whose files only one process may write."""
    # Of each process its own: one would read what another is writing.
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    (data := folder / f"data_{rank}").mkdir()
    found = registry.find("provlae")
    run = folder / "run"
    model, results = found.train(TINY["provlae"].recipe(None, data), log_dir=run, verbose=0)
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {
        "weights": [value.tolist() for value in numbers(model.weights)],
        "history": results["history"],
        "files": files,
        "part": [len(x) for x in PartOfBatches([(IMAGES, IMAGES)], 1, 4)[0]],
    }


def single_batches(rank):
    model = made(MODELS["vae_bernoulli"].build, rank)
    for _ in range(3):
        model.train_on_batch(part(IMAGES, rank, 2))
    return [value.tolist() for value in numbers(model.variables)]


def gathered(rank):
    """A function of all rows, its gradient, and the gradient of that: each for these rows."""
    x = torch.tensor(part(np.arange(1.0, 9.0), rank, 2)[:, None], requires_grad=True)
    with processes._together(processes.STEP, x):
        (rows,), own = processes.gather([x])
        # Each process has the part of the sum that belongs to its rows.
        value = ((rows.sum() ** 3) * rows)[own].sum()
        (first,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), x)
    return [value.item(), first.tolist(), second.tolist()]


def main(rank, size, port, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=size,
        timeout=datetime.timedelta(seconds=120),
    )
    found = {
        "models": {name: ten_steps(name, rank, size) for name in (*BUILDERS, *NORMALISED)},
        "validation": joined_validation(rank, size),
        "alone": alone(rank),
        "batches": single_batches(rank),
        "gathered": gathered(rank),
        "application": application(folder),
        "resumed": resumed(rank, folder),
        "errors": errors(rank),
    }
    (folder / f"found_{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), pathlib.Path(sys.argv[4]))
