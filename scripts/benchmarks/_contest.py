"""Contests of training steps: every contender in a process of its own, in turn, round by round.

A script names its contenders in a dict of name to (build, Keras backend or `None`), where
`build(settings, data)` is called in the contender's process and gives a `Contender`; `data` is what
the script draws once for all of them. It calls `add_options`, `check_options` and `hold`.
"""

import importlib.metadata
import itertools
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

PREPARED = 16  # batches that the bare steps go round
WARM_UP = 5  # steps before the first round: tracing, compiling, memory
# Threads that have just worked spin for a while before they sleep; not into another's turn.
PAUSE = 0.3


@dataclass
class Contender:
    """What takes its turns in a worker.

    Args:
        take_turn: function (steps) to the seconds that they took and the means of the losses so
            far, a dict of heading to number, empty if they are not known.
        about: the framework and its version.
        networks: dict of network to its number of trainable parameters. Those of one name must be
            alike in every contender that has them.
        closing: function () to what there is to say when all the rounds are over, or `None`.
    """

    take_turn: Callable
    about: str
    networks: dict
    closing: Callable = lambda: None


# Options


def add_options(parser, contenders, batch_size, about_steps="training steps in a turn"):
    """Adds the options that every contest has."""
    add = parser.add_argument
    add(
        "--batch-size",
        type=int,
        default=batch_size,
        help="images in a batch (default: %(default)s)",
    )
    add(
        "--rounds",
        type=int,
        default=7,
        help="turns of each contender; medians want at least 5 (default: %(default)s)",
    )
    add("--steps", type=int, default=30, help=f"{about_steps} (default: %(default)s)")
    add(
        "--only",
        nargs="+",
        choices=list(contenders),
        default=list(contenders),
        metavar="NAME",
        help=f"contenders, of {', '.join(contenders)} (default: all); a ratio needs both of its",
    )
    add("--torch-compile", action="store_true", help="torch.compile of PyTorch's network")
    add(
        "--torch-fused",
        action="store_true",
        help="PyTorch's Adam in one kernel (fused=True) instead of as it comes",
    )


def check_options(parser, settings, contenders):
    """Ends the script if an option is out of range; puts the contenders in their order."""
    for name in ("batch_size", "rounds", "steps"):
        if getattr(settings, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    settings.only = [name for name in contenders if name in settings.only]


# The contest


def hold(contenders, ratios, settings, draw, digits):
    """Holds the contest and prints its tables.

    Args:
        contenders: dict of name to (build, backend), see above.
        ratios: tuples (numerator, denominator, what is wished for), with names of contenders.
        settings: the parsed options.
        draw: function (settings) to the contenders' data, called in a process of its own.
        digits: decimals of the losses.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores; Python {platform.python_version()}, {platform.platform()}", flush=True)

    data = in_own_process(draw, settings)
    spawn = multiprocessing.get_context("spawn")
    width = max(map(len, contenders))
    workers, processes, networks = {}, [], {}
    for name in settings.only:
        workers[name], remote = spawn.Pipe()
        arguments = (remote, *contenders[name], settings, data)
        process = spawn.Process(target=_work, args=arguments, daemon=True)
        process.start()
        processes.append(process)
        remote.close()  # the worker's end, so that its death is seen here
        about, networks[name] = _receive(name, workers[name])
        parameters = sum(networks[name].values())
        print(f"{name:{width}}  {parameters:,} parameters  {about}", flush=True)
    _check_networks(networks)

    seconds, losses = {name: [] for name in workers}, {}
    for i in range(settings.rounds):
        order = list(workers) if i % 2 == 0 else list(workers)[::-1]
        for name in order:
            time.sleep(PAUSE)
            workers[name].send("go")
            took, losses[name] = _receive(name, workers[name])
            seconds[name].append(took / settings.steps)
        turns = "  ".join(f"{name} {1000 * seconds[name][-1]:.1f}" for name in workers)
        print(f"round {i + 1}/{settings.rounds}: {turns}", flush=True)
    _print_times(seconds, losses, width, digits)
    _print_ratios(seconds, ratios)

    for connection in workers.values():
        connection.send("close")
    closing = {name: _receive(name, connection) for name, connection in workers.items()}
    if any(closing.values()):
        print()
    for name, words in closing.items():
        if words:
            print(f"{name:{width}}  {words}")
    for connection, process in zip(workers.values(), processes, strict=True):
        connection.close()  # which tells the worker to end
        process.join(10)


def in_own_process(function, *arguments):
    """`function(*arguments)`; so this process holds no framework, and no threads of one."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def hide_devices():
    """Leaves the frameworks of this process the CPU alone."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")


def _work(connection, build, backend, settings, data):
    """The worker: warms up, says what it is, and takes its turns until the parent is gone."""
    hide_devices()
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    contender = build(settings, data)
    contender.take_turn(WARM_UP)
    connection.send((contender.about, contender.networks))
    try:
        while True:
            is_turn = connection.recv() == "go"
            connection.send(contender.take_turn(settings.steps) if is_turn else contender.closing())
    except EOFError:
        pass


def _receive(name, connection):
    try:
        return connection.recv()
    except EOFError:
        sys.exit(f"The worker {name!r} has died; what it wrote stands above.")


def _check_networks(networks):
    """Ends the script if two contenders have different networks of one name."""
    for network in {network for parts in networks.values() for network in parts}:
        sizes = {name: parts[network] for name, parts in networks.items() if network in parts}
        if len(set(sizes.values())) > 1:
            sys.exit(f"The contenders are not the same network: {network} with {sizes} parameters")


def _print_times(seconds, losses, width, digits):
    headings = list(dict.fromkeys(heading for means in losses.values() for heading in means))
    # A column holds at least five digits, a point and the decimals.
    widths = {heading: max(len(heading), 6 + digits) for heading in headings}
    head = "".join(f"  {heading:>{widths[heading]}}" for heading in headings)
    print(f"\n{'':{width}}  ms a step  (fastest - slowest){head}")
    for name, values in seconds.items():
        low, middle, high = (1000 * f(values) for f in (min, statistics.median, max))
        means = "".join(
            f"  {losses[name][heading]:{widths[heading]}.{digits}f}"
            if heading in losses[name]
            else " " * (2 + widths[heading])
            for heading in headings
        )
        spread = f"({low:.1f} - {high:.1f})"
        print(f"{name:{width}} {middle:10.1f}  {spread:19}{means}".rstrip())
    print()


def _print_ratios(seconds, ratios):
    width = max(len(f"{above} / {below}") for above, below, _ in ratios)
    for above, below, goal in ratios:
        if above in seconds and below in seconds:
            ratio = statistics.median(seconds[above]) / statistics.median(seconds[below])
            rounds = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
            spread = f"(rounds {min(rounds):.2f} - {max(rounds):.2f})"
            print(f"{f'{above} / {below}':{width}} {ratio:5.2f}  {spread}  goal {goal}")


# Contenders that are compiled Keras models


def tensorflow_step(model, batches, read_losses):
    """The compiled step of a model on TensorFlow, on batches that are already tensors.

    Args:
        model: the compiled model.
        batches: uint8 images (PREPARED, batch, h, w, channels).
        read_losses: function from the step's logs to the dict of means.

    Returns:
        (take_turn, about), as in `Contender`.
    """
    import tensorflow as tf

    model.make_train_function()
    endless = itertools.cycle([(tf.constant(to_float(images)),) for images in batches])

    def take_turn(steps):
        start = time.perf_counter()
        for _ in range(steps):
            logs = model.train_function(endless)
        losses = read_losses(logs)
        return time.perf_counter() - start, losses

    return take_turn, about_tensorflow()


def jax_step(model, batches, read_losses):
    """The compiled step of a model on JAX; otherwise as `tensorflow_step`."""
    import jax

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
        return time.perf_counter() - start, read_losses(logs)

    devices = ", ".join(str(device) for device in jax.devices())
    return take_turn, f"JAX {jax.__version__} on {devices}"


def about_tensorflow():
    return f"TensorFlow {importlib.metadata.version('tensorflow')}"


def to_float(images):
    return images.astype("float32") / 255


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)
