"""The training step of pro-VLAE on the CPU: TensorFlow against plain PyTorch, JAX, and `fit`.

    python scripts/benchmarks/train_step.py
    python scripts/benchmarks/train_step.py --rounds 9 --only tensorflow fit

By default L = 3 rungs of 3 latents, 100 images of 64×64×1, Adam, and every framework's own choice
of threads. The contenders:

    tensorflow  `ProVLAE`: its compiled step on batches that are already tensors
    jax         the same with JAX
    torch       the same network, loss and Adam, written in plain PyTorch with channels_last
    fit         `model.fit` of the first, as it comes, on batches that `DSprites` draws meanwhile:
                an epoch from its begin to its end

Each lives in a process of its own and does nothing until its turn comes. In every round each runs
the same number of steps, one after another and every other round in reverse, so that a machine
that slows down or speeds up hits all alike. Prints the milliseconds a step (median of the rounds,
fastest, slowest) and the ratios of the medians, with the smallest and largest ratio of any round.
The mean loss over all the steps shows that the contenders train alike; it is not the same number,
for the weights and the noise are drawn by each framework.

Nothing else should run meanwhile: PyTorch's threads wait for each other, and one that is kept from
its core makes a step many times as long.
"""

import argparse
import importlib.metadata
import itertools
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time

RUNGS = (3, 3, 3)  # as the ladder in plain PyTorch below, most abstract first
BETA = 1.0
LEARNING_RATE = 5e-4
PREPARED = 16  # batches that the bare steps go round
WARM_UP = 5  # steps before the first round: tracing, compiling, memory
# Threads that have just worked spin for a while before they sleep; not into another's turn.
PAUSE = 0.3

# numerator, denominator, what is wished for
RATIOS = (
    ("tensorflow", "torch", "<= 0.9"),
    ("jax", "tensorflow", "<= 3.0"),
    ("tensorflow", "fit", ">= 0.9"),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--image-size",
        type=int,
        default=64,
        help="side of the images in pixels, a multiple of 16 up to 128 (default: %(default)s)",
    )
    add("--batch-size", type=int, default=100, help="images in a batch (default: %(default)s)")
    add(
        "--rounds",
        type=int,
        default=7,
        help="turns of each contender; medians want at least 5 (default: %(default)s)",
    )
    add(
        "--steps",
        type=int,
        default=30,
        help="training steps in a turn; few, and the start of fit's epoch counts for much "
        "(default: %(default)s)",
    )
    add(
        "--only",
        nargs="+",
        choices=list(CONTENDERS),
        default=list(CONTENDERS),
        metavar="NAME",
        help=f"contenders, of {', '.join(CONTENDERS)} (default: all); a ratio needs both of its",
    )
    add("--torch-compile", action="store_true", help="torch.compile of PyTorch's network")
    add(
        "--torch-fused",
        action="store_true",
        help="PyTorch's Adam in one kernel (fused=True) instead of as it comes",
    )
    settings = parser.parse_args()
    for name in ("batch_size", "rounds", "steps"):
        if getattr(settings, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if settings.image_size % 16 or not 16 <= settings.image_size <= 128:
        parser.error("--image-size must be a multiple of 16, 16 to 128")
    settings.only = [name for name in CONTENDERS if name in settings.only]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores; Python {platform.python_version()}, {platform.platform()}", flush=True)

    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:  # so that this process holds no framework, and no threads of one
        batches = pool.apply(draw_batches, (settings.image_size, settings.batch_size))
    workers, processes, parameters = {}, [], {}
    for name in settings.only:
        workers[name], remote = spawn.Pipe()
        process = spawn.Process(target=work, args=(remote, name, settings, batches), daemon=True)
        process.start()
        processes.append(process)
        remote.close()  # the worker's end, so that its death is seen here
        about, parameters[name] = receive(name, workers[name])
        print(f"{name:10}  {parameters[name]:,} parameters  {about}", flush=True)
    if len(set(parameters.values())) > 1:
        sys.exit(f"The contenders are not the same network: {parameters}")

    seconds, losses = {name: [] for name in workers}, {}
    for i in range(settings.rounds):
        order = list(workers) if i % 2 == 0 else list(workers)[::-1]
        for name in order:
            time.sleep(PAUSE)
            workers[name].send("go")
            took, losses[name] = receive(name, workers[name])
            seconds[name].append(took / settings.steps)
        turns = "  ".join(f"{name} {1000 * seconds[name][-1]:.1f}" for name in workers)
        print(f"round {i + 1}/{settings.rounds}: {turns}", flush=True)
    print_tables(seconds, losses)
    for connection, process in zip(workers.values(), processes, strict=True):
        connection.close()  # which tells the worker to end
        process.join(10)


def receive(name, connection):
    try:
        return connection.recv()
    except EOFError:
        sys.exit(f"The worker {name!r} has died; what it wrote stands above.")


def print_tables(seconds, losses):
    print(f"\n{'':10}  ms a step  (fastest - slowest)  mean loss")
    for name, values in seconds.items():
        low, middle, high = (1000 * f(values) for f in (min, statistics.median, max))
        loss = "" if losses[name] is None else f"{losses[name]:9.1f}"
        spread = f"({low:.1f} - {high:.1f})"
        print(f"{name:10} {middle:10.1f}  {spread:19}  {loss}".rstrip())
    print()
    for above, below, goal in RATIOS:
        if above in seconds and below in seconds:
            ratio = statistics.median(seconds[above]) / statistics.median(seconds[below])
            rounds = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
            spread = f"(rounds {min(rounds):.2f} - {max(rounds):.2f})"
            print(f"{f'{above} / {below}':18} {ratio:5.2f}  {spread}  goal {goal}")


def draw_batches(image_size, batch_size):
    """Batches (PREPARED, batch, h, w, 1), uint8, of random dSprites."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    from keras_disentangle.datasets import DSprites

    data = DSprites(image_size)
    index = np.random.default_rng(0).integers(len(data), size=PREPARED * batch_size)
    return data.images(index).reshape(PREPARED, batch_size, *data.image_shape)


def work(connection, name, settings, batches):
    """The worker: warms up, says what it is, and takes its turns until the parent is gone."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")
    build, backend = CONTENDERS[name]
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    take_turn, about, parameters = build(settings, batches)
    take_turn(WARM_UP)
    connection.send((about, parameters))
    try:
        while connection.recv():
            connection.send(take_turn(settings.steps))
    except EOFError:
        pass


# Contenders: functions (settings, batches) -> (take_turn, about, number of parameters), where
# take_turn(steps) -> (seconds, mean loss so far or None).


def bare_tensorflow(settings, batches):
    import tensorflow as tf

    model = compiled_provlae(settings)
    model.make_train_function()
    endless = itertools.cycle([(tf.constant(to_float(images)),) for images in batches])

    def take_turn(steps):
        start = time.perf_counter()
        for _ in range(steps):
            logs = model.train_function(endless)
        loss = float(logs["loss"])
        return time.perf_counter() - start, loss

    return take_turn, about_tensorflow(), count(model.trainable_variables)


def fit_on_dsprites(settings, batches):
    import keras

    from keras_disentangle.datasets import DSprites

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.start

    model, data, clock = compiled_provlae(settings), DSprites(settings.image_size), Clock()
    sys.stdout = open(os.devnull, "w")  # of this worker only: `fit` draws its progress bar

    def take_turn(steps):
        epoch = data.batches(settings.batch_size, seed=0, steps_per_epoch=steps)
        model.fit(epoch, callbacks=[clock])
        return clock.seconds, None

    return take_turn, about_tensorflow(), count(model.trainable_variables)


def bare_jax(settings, batches):
    import jax

    model = compiled_provlae(settings)
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    endless = itertools.cycle([(jax.numpy.asarray(to_float(images)),) for images in batches])
    # The step takes the state and gives the next one; the model's own variables are left behind.
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in group] for group in groups)

    def take_turn(steps):
        nonlocal state
        start = time.perf_counter()
        for _ in range(steps):
            logs, state = model.train_function(state, endless)
        jax.block_until_ready((logs, state))
        return time.perf_counter() - start, float(logs["loss"])

    devices = ", ".join(str(device) for device in jax.devices())
    about = f"JAX {jax.__version__} on {devices}"
    return take_turn, about, count(model.trainable_variables)


def bare_torch(settings, batches):
    import torch

    model = torch_ladder(settings.image_size).to(memory_format=torch.channels_last)
    parameters = sum(p.numel() for p in model.parameters())
    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    fused = {"fused": True} if settings.torch_fused else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=1e-7, **fused)
    ladder = torch.compile(model) if settings.torch_compile else model
    images = [torch.from_numpy(to_float(x)).permute(0, 3, 1, 2) for x in batches]
    endless = itertools.cycle([x.contiguous(memory_format=torch.channels_last) for x in images])
    total, done = torch.zeros(()), 0

    def take_turn(steps):
        nonlocal total, done
        start = time.perf_counter()
        for _ in range(steps):
            reconstruction, kls = ladder(next(endless), alphas=(1.0, 1.0))
            loss = (reconstruction + BETA * sum(kls)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total = total + loss.detach()
        done += steps
        loss = float(total) / done
        return time.perf_counter() - start, loss

    return take_turn, about, parameters


CONTENDERS = {
    "tensorflow": (bare_tensorflow, "tensorflow"),
    "jax": (bare_jax, "jax"),
    "torch": (bare_torch, None),
    "fit": (fit_on_dsprites, "tensorflow"),
}


def compiled_provlae(settings):
    import keras
    from keras_disentangle.applications import ProVLAE

    keras.utils.set_random_seed(0)
    size = settings.image_size
    model = ProVLAE(image_shape=(size, size, 1), rung_sizes=RUNGS, beta=BETA, seed=0)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model


def to_float(images):
    return images.astype("float32") / 255


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def about_tensorflow():
    return f"TensorFlow {importlib.metadata.version('tensorflow')}"


def torch_ladder(image_size, channels=32, hidden=256):
    """The small ladder of pro-VLAE as one would write it in PyTorch, with Keras's initial weights.

    The module maps images and the fade-in of the rungs 1 and 2 to the reconstruction error and
    the KL of each rung, each (batch,).
    """
    import torch
    from torch import nn
    from torch.nn import functional

    def down(inputs):
        return nn.Sequential(nn.Conv2d(inputs, channels, 4, stride=2, padding=1), nn.ELU())

    def up(inputs):
        return nn.Sequential(nn.ConvTranspose2d(inputs, channels, 4, stride=2, padding=1), nn.ELU())

    class Rung(nn.Module):
        """What reads and what writes one level: level l of the encoder, level l + 1 back."""

        def __init__(self, latents, side):
            super().__init__()
            self.posterior = nn.Sequential(
                down(channels),
                nn.Flatten(),
                nn.Linear(channels * side * side, hidden),
                nn.ELU(),
                nn.Linear(hidden, 2 * latents),
            )
            self.latent_map = nn.Sequential(
                nn.Linear(latents, hidden),
                nn.ELU(),
                nn.Linear(hidden, channels * side * side),
                nn.ELU(),
                nn.Unflatten(1, (channels, side, side)),
            )

    class Ladder(nn.Module):
        def __init__(self):
            super().__init__()
            levels = range(len(RUNGS))
            self.encoder = nn.ModuleList([down(1 if i == 0 else channels) for i in levels])
            self.rungs = nn.ModuleList(
                [Rung(RUNGS[::-1][i], image_size // 2 ** (i + 2)) for i in levels]
            )
            self.decoder = nn.ModuleList(
                [up(channels if i == levels[-1] else 2 * channels) for i in levels]
            )
            self.to_image = nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1)
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)
                else:
                    nn.init.zeros_(parameter)

        def forward(self, x, alphas):
            alphas = (*alphas, None)  # the most abstract rung is there from the start
            h, codes, kls = x, [], []
            for block, rung, alpha in zip(self.encoder, self.rungs, alphas, strict=True):
                h = block(h)
                read = h if alpha is None else alpha * h
                mean, log_var = rung.posterior(read).chunk(2, dim=1)
                codes.append(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
                kls.append(0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1))
            g = None
            for i in reversed(range(len(RUNGS))):
                new = self.rungs[i].latent_map(codes[i])
                new = new if alphas[i] is None else alphas[i] * new
                g = self.decoder[i](new if g is None else torch.cat([new, g], dim=1))
            logits = self.to_image(g)
            error = functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
            return error.sum((1, 2, 3)), kls

    return Ladder()


if __name__ == "__main__":
    main()
