"""The phased train step on PyTorch."""

import contextlib

import keras
import torch
from keras import tree

from keras_disentangle._keras_graph import all_layers


def train_step(model, batch):
    with _written_in_passing(model):
        return _train_step(model, batch)


def _written_in_passing(model):
    """A context in which a network may be called several times before one backward pass.

    Keras's `SpectralNormalization` writes the kernel at each call in training. PyTorch then keeps
    copies of the tensors that it still needs; this costs time, so it is used only for that layer.
    """
    if any(isinstance(x, keras.layers.SpectralNormalization) for x in all_layers(model)):
        return torch.autograd.graph.allow_mutation_on_saved_tensors()
    return contextlib.nullcontext()


def _train_step(model, batch):
    batch = model.prepare(batch)
    shared = model.share_of(batch)
    constant = tree.map_structure(torch.Tensor.detach, shared)
    for move in model.moves:
        optimizer, sharing = model.optimizer[move.phase.slot], move is model.sharing_move
        loss = model.loss_of(move.phase, batch, shared if sharing else constant)
        values = [variable.value for variable in move.variables]
        grads = torch.autograd.grad(optimizer.scale_loss(loss), values, allow_unused=True)
        # Zeros, as on JAX, so that Adam's momentum moves unused variables in the same way.
        grads = [
            torch.zeros_like(value) if grad is None else grad
            for grad, value in zip(grads, values, strict=True)
        ]
        with torch.no_grad():
            optimizer.apply(grads, move.variables)
    with torch.no_grad():
        model.finish(batch, constant[0])
    return model.get_metrics_result()


def input_gradient(model, fn, x):
    x = x.detach().requires_grad_()
    outputs = fn(x)
    (gradient,) = torch.autograd.grad(outputs[0].sum(), x, create_graph=True)
    return outputs, gradient


def replica():
    return 1, 0


def gather(tensors):
    """The tensors as they are, for there are no replicas, and the slice of all rows."""
    return tensors, slice(None)


def no_graph(arguments):
    """A context in which results hold no graph, unless an argument requires a gradient."""
    wanted = any(isinstance(x, torch.Tensor) and x.requires_grad for x in arguments)
    return contextlib.nullcontext() if wanted else torch.no_grad()


def check_processes():
    """Raises a ValueError if several processes would each train a model of their own."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    if (size := distributed.get_world_size()) > 1:
        raise ValueError(
            "Training on PyTorch must be in a single process: gradients are not exchanged, so each "
            "process would train a model of its own. Use the TensorFlow or JAX backend for several "
            "devices, or end the process group (`torch.distributed.destroy_process_group()`). "
            f"Received: a process group of {size} processes"
        )


def build_optimizer(model):
    """Nothing to do: Keras builds it before the first step on this backend."""


def require(condition, message, value):
    """Nothing to check: sizes are known in every step, and were checked before."""


def readable_errors():
    return contextlib.nullcontext()
