"""Training in several processes of PyTorch, each of which has a part of every batch.

A step averages gradients over the processes, and then the state of normalisations and metrics: all
but the data is equal in all of them after each step, bit for bit. So a callback decides the same in
each process, and a backup or a file that one of them writes is right for all.
"""

import contextlib
import hashlib
import weakref
from itertools import accumulate

import keras
import torch
from keras import tree
from torch import distributed

from keras_disentangle._keras_graph import all_layers, changed_by_calls

# What processes are doing; they tell each other before each step.
STEP, VALIDATION, EPOCH_END, END, FAILURE = range(5)
_DOING = (
    "a training step with a batch of {}",
    "a step of the validation with a batch of {}",
    "the end of epoch {}",
    "the end of `fit`",
    "an error",
)


class _Now:
    """What this process is doing with the others."""

    model = None  # the one that `fit` trains
    in_step = in_validation = False
    begun = weakref.WeakKeyDictionary()  # from model to the variables that `share_state` changes
    control = (None, None)  # the default group, and one for messages


def size():
    """The number of processes that train together."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size()


def index():
    return distributed.get_rank() if size() > 1 else 0


def replica():
    """The number of processes in this step and the index of this one; (1, 0) outside of steps."""
    return (size(), index()) if _Now.in_step else (1, 0)


def gather(tensors):
    """Tensors (n, ...) with the rows of all processes, and the slice of the rows of this one.

    The gradient of a gathered tensor is the sum of those of all processes, cut to the rows of this
    one. Losses are averaged over processes, so where all of them compute the same loss from the
    gathered tensors, that is its gradient with respect to these rows, as in one process. Outside of
    steps, the tensors as they are.
    """
    if not _Now.in_step or not tensors:
        return tensors, slice(None)
    n = tensors[0].shape[0]
    return [_Gather.apply(x) for x in tensors], slice(index() * n, (index() + 1) * n)


class _Gather(torch.autograd.Function):
    """The rows of all processes. Its gradient can be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(size())]
        distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        return _SumOfRows.apply(gradient)


class _SumOfRows(torch.autograd.Function):
    """Of tensors with rows for all processes, the sum over processes of the rows for this one."""

    @staticmethod
    def forward(ctx, x):
        x = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(x)
        return x.chunk(size())[index()].clone()

    @staticmethod
    def backward(ctx, gradient):
        return _Gather.apply(gradient)


# Steps


@contextlib.contextmanager
def training_step(model, data):
    """A step of training, which all processes make together; gives whether there are several."""
    # Not one of another model within the `fit` of this one, as in a callback.
    if size() == 1 or _Now.model not in (None, model):
        yield False
        return
    if model not in _Now.begun:
        _begin(model)
    with _together(STEP, data):
        yield True


@contextlib.contextmanager
def validation_step(data):
    """A step of an evaluation; of all processes together if `fit` makes it."""
    if not _Now.in_validation:
        yield False
        return
    with _together(VALIDATION, data):
        yield True


@contextlib.contextmanager
def _together(doing, data):
    agree(doing, next(x for x in tree.flatten(data) if x is not None).shape[0])
    _Now.in_step = True
    try:
        yield
    finally:
        _Now.in_step = False


def averaged(gradients):
    """The mean of gradients over the processes of a step; `None` stays."""
    if not _Now.in_step:
        return gradients
    found = [gradient for gradient in gradients if gradient is not None]
    wide = torch.float64 if any(x.dtype == torch.float64 for x in found) else torch.float32
    means = iter(_reduced(found, distributed.ReduceOp.SUM, 1 / size(), wide))
    return [gradient if gradient is None else next(means) for gradient in gradients]


@contextlib.contextmanager
def averaging(optimizer):
    """A context in which an optimizer averages the gradients that it applies."""
    apply = optimizer.apply
    optimizer.apply = lambda grads, variables=None: apply(averaged(grads), variables)
    try:
        yield
    finally:
        del optimizer.apply


def share_state(model):
    """Makes the state that depends on the data equal in the processes of a step.

    Moving averages and sums of metrics become their means. What is of one replica alone is equal
    already, but for the guards of metrics, of which the largest is kept.
    """
    if not _Now.in_step:
        return
    with torch.no_grad():
        for variables, operation, scale in _Now.begun[model]:
            values = [variable.value for variable in variables]
            # In float64 the mean of equal numbers is that number, also of three.
            reduced = _reduced(values, operation, scale, torch.float64)
            for value, new in zip(values, reduced, strict=True):
                value.copy_(new)


def _shared_state(model):
    """The arguments of `_reduced` for the state that depends on the data."""
    metrics = model.metrics_variables
    means = [v for v in (*changed_by_calls(model), *metrics) if _is_mean(v)]
    guards = [v for v in metrics if v.aggregation == "only_first_replica"]
    return [(means, distributed.ReduceOp.SUM, 1 / size()), (guards, distributed.ReduceOp.MAX, 1)]


def _is_mean(variable):
    return variable.aggregation != "only_first_replica" and variable.value.is_floating_point()


def _reduced(tensors, operation, scale, dtype):
    """Tensors reduced over the processes, in one message of a dtype, and scaled."""
    if not tensors:
        return []
    flat = torch.cat([x.detach().reshape(-1).to(dtype) for x in tensors])
    distributed.all_reduce(flat, operation)
    ends = list(accumulate(x.numel() for x in tensors))
    parts = zip([0, *ends[:-1]], ends, tensors, strict=True)
    return [(scale * flat[i:j]).reshape(x.shape).to(x.dtype) for i, j, x in parts]


# Agreement


@contextlib.contextmanager
def training(model, arguments):
    """A `fit` that all processes run together, each with data of its own.

    Raises:
        ValueError: in each process, if their models or arguments differ, or one of them stops while
            others go on.
    """
    if size() == 1 or _Now.model is not None:
        yield
        return
    _begin(model, arguments)
    _Now.model = model
    try:
        yield
    except BaseException:
        # The others are told, where they can still be reached: they would wait.
        with contextlib.suppress(Exception):
            agree(FAILURE)
        raise
    else:
        agree(END)
    finally:
        _Now.model = None


@contextlib.contextmanager
def evaluation(model, within_fit):
    """An evaluation; of all processes together if the `fit` that they run makes it."""
    before = _Now.in_validation
    _Now.in_validation = within_fit and _Now.model is model
    try:
        yield
    finally:
        _Now.in_validation = before


class EpochEnds(keras.callbacks.Callback):
    """Raises a ValueError in each process if their epochs have different lengths."""

    only_looks_on = True  # for `ExactBackup`

    def on_epoch_end(self, epoch, logs=None):
        agree(EPOCH_END, epoch)


def agree(doing, number=0):
    """Raises a ValueError in each process unless all are doing the same."""
    group = _control()
    mine = torch.tensor([doing, number, -doing, -number])
    distributed.all_reduce(mine, distributed.ReduceOp.MAX, group=group)
    if (mine[:2] == -mine[2:]).all():
        return
    every = [None] * size()
    distributed.all_gather_object(every, (doing, number), group=group)
    received = [f"{_DOING[what].format(n)} in process {i}" for i, (what, n) in enumerate(every)]
    if any(what == FAILURE for what, _ in every):
        raise ValueError(
            f"Training was stopped by another process. Received: {'; '.join(received)}"
        )
    raise ValueError(
        "All processes must make the same steps, with batches of one size, because they train one "
        "model: give each equally many examples, and stop them together. Received: "
        f"{'; '.join(received)}"
    )


def _begin(model, arguments=None):
    """Checks that processes train the same model, and gives all of them that of the first."""
    if getattr(model, "jit_compile", False):
        raise ValueError(
            "`jit_compile` must be False for training in several processes on PyTorch. Received: "
            f"jit_compile={model.jit_compile}"
        )
    mine, every = _description(model, arguments or {}), [None] * size()
    distributed.all_gather_object(every, mine, group=_control())
    for name, first in every[0].items():
        for i, other in enumerate(every):
            if other[name] != first:
                raise ValueError(
                    f"{name} must be the same in all processes, because they train one model. "
                    f"Received: {first} in process 0, {other[name]} in process {i}"
                )
    for variable in (*model.variables, *getattr(model.optimizer, "variables", ())):
        distributed.broadcast(variable.value.detach(), 0)
    _Now.begun[model] = _shared_state(model)


def _description(model, arguments):
    optimizer = model.optimizer
    built = all(layer.built for layer in all_layers(model))
    if built and optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    kinds = [(tuple(v.shape), str(v.dtype), v.trainable) for v in model.variables]
    digest = hashlib.sha256(repr(kinds).encode()).hexdigest()[:6]
    settings = ("batch_size", "epochs", "initial_epoch", "steps_per_epoch", "validation_freq")
    data = {name: _length(arguments.get(name)) for name in ("x", "validation_data")}
    return {
        "The model": f"{type(model).__name__} with {len(kinds)} variables, {digest}",
        "`seed`": getattr(model, "seed", None),
        "The optimizer": repr(optimizer and keras.optimizers.serialize(optimizer)),
        **{f"`{name}`": arguments.get(name) for name in settings},
        **{f"The size of `{name}`": length for name, length in data.items()},
    }


def _length(data):
    """The number of examples or batches, as far as it is known."""
    data = data[0] if isinstance(data, (tuple, list)) and data else data
    with contextlib.suppress(TypeError, NotImplementedError):
        return data.num_batches if isinstance(data, keras.utils.PyDataset) else len(data)
    return None if data is None else "unknown"


def _control():
    """A group for messages on the CPU, so that a device need not wait for them."""
    world = distributed.group.WORLD
    if _Now.control[0] is not world:
        _Now.control = world, distributed.new_group(backend="gloo")
    return _Now.control[1]
