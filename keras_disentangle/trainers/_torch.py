"""The phased train step on PyTorch."""

import torch
from keras import tree


def train_step(model, batch):
    batch = model.prepare(batch)
    shared = model.share_of(batch)
    constant = tree.map_structure(torch.Tensor.detach, shared)
    for move in model.moves:
        optimizer, sharing = model.optimizer[move.phase.slot], move is model.sharing_move
        loss = model.loss_of(move.phase, batch, shared if sharing else constant)
        values = [variable.value for variable in move.variables]
        grads = torch.autograd.grad(optimizer.scale_loss(loss), values, allow_unused=True)
        # Zeros, as JAX has them, so that Adam's momentum moves unused variables alike.
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
