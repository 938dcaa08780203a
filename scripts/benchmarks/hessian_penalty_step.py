"""The Hessian Penalty and its gradient on the CPU: against the authors' release, and a floor.

    python scripts/benchmarks/hessian_penalty_step.py --official ../hessian_penalty
    python scripts/benchmarks/hessian_penalty_step.py --rounds 9 --only tensorflow floor

A generator like those of progressive GANs: 12 latent variables to 64x64, with two convolutions at
each of five resolutions (128, 128, 64, 64 and 32 channels), each followed by a leaky ReLU of 0.2
and a pixel normalisation, and upsampling to the nearest in between. All ten activations are
regularised with reduction "max"; by default 16 points, two directions, float32, and every
framework's own choice of threads. A step is the penalty and its gradient with respect to all the
weights. The contenders, from equal weights and at equal points, each drawing its directions:

    tensorflow            `losses.HessianPenaltyLoss`, compiled: 2k evaluations one after another
    tensorflow_one_pass   the same with `one_pass=True`: one evaluation of 2k times the batch
    tensorflow_k4, _k8    as `tensorflow`, with 4 and 8 directions
    tensorflow_normalized as `tensorflow`, with `normalized=True`: 4k evaluations
    floor                 what an evaluation costs in itself: 2k times the generator's own forward
                          and backward pass with TensorFlow, and no penalty
    jax, jax_one_pass     as the first two, with JAX
    torch                 the release of the authors (hessian_penalty_pytorch.py), unchanged, which
                          evaluates 2k + 1 times
    torch_channels_last   the same in PyTorch's other memory format

The last two need `--official`, the folder with a checkout of github.com/wpeebles/hessian_penalty,
and are left out without it. "The best" of the authors' is whichever of the two gives the larger
ratio.

Each lives in a process of its own and does nothing until its turn comes. In every round each runs
the same number of steps, one after another and every other round in reverse, so that a machine
that slows down or speeds up hits all alike. Prints the milliseconds a step (median of the rounds,
fastest, slowest), the mean of the penalties, and the ratios of the medians with the smallest and
largest ratio of any round. At last, each in a fresh process, by how much some steps raise the peak
of the resident memory for both ways of evaluating, above that of the traced step (Linux and macOS).

Nothing else should run meanwhile: PyTorch's threads wait for each other, and one that is kept from
its core makes a step many times as long.
"""

import argparse
import functools
import importlib.util
import itertools
import pathlib
import resource
import sys
import time

from _contest import (
    PREPARED,
    Contender,
    about_tensorflow,
    add_options,
    check_options,
    count,
    hide_devices,
    hold,
    in_own_process,
)

LATENT_DIM = 12
CHANNELS = (128, 128, 64, 64, 32)  # at 4x4 to 64x64
ACTIVATIONS = [f"norm_{i}" for i in range(2 * len(CHANNELS))]
DIRECTIONS = 2
SLOPE, EPSILON = 0.2, 1e-8  # of the leaky ReLU and the pixel normalisation
SEED = 0
RELEASE = "hessian_penalty_pytorch.py"

# numerator, denominator, what is wished for
RATIOS = (
    ("tensorflow", "torch", "<= 0.35"),
    ("tensorflow", "torch_channels_last", "<= 0.35"),
    ("tensorflow", "floor", "<= 1.15"),
    ("tensorflow_one_pass", "floor", "<= 1.15"),
    ("tensorflow_k4", "tensorflow", "2: linear in k"),
    ("tensorflow_k8", "tensorflow", "4: linear in k"),
    ("tensorflow_normalized", "tensorflow", "<= 2"),
    ("jax", "torch_channels_last", "none"),
    ("jax_one_pass", "jax", "none"),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    contenders = dict(CONTENDERS)
    add_options(parser, contenders, batch_size=16, about_steps="penalties with gradient in a turn")
    parser.add_argument("--official", help=f"folder that holds the authors' {RELEASE}")
    settings = parser.parse_args()
    check_options(parser, settings, contenders)
    if settings.torch_fused:
        parser.error("--torch-fused is for optimizers, and there is none here")
    if settings.official is None:
        settings.only = [name for name in settings.only if not name.startswith("torch")]
    elif not (pathlib.Path(settings.official) / RELEASE).is_file():
        parser.error(f"--official must hold {RELEASE}. Received: {settings.official}")
    if not settings.only:
        parser.error("the contenders of --only need --official")
    hold(contenders, RATIOS, settings, draw, digits=1)
    print()
    for name, one_pass in (("one after another", False), ("one pass", True)):
        grown = in_own_process(memory, settings, one_pass)
        print(f"tensorflow, {name}: {grown:.0f} MiB more at the peak")


def draw(settings):
    """The weights in Keras's layouts and order, and points (PREPARED, batch, latent)."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    shapes, inputs = [(LATENT_DIM, 16 * CHANNELS[0])], CHANNELS[0]
    for i, channels in enumerate(CHANNELS):
        # At 4x4 the dense layer stands for the first.
        for _ in range(1 if i == 0 else 2):
            shapes.append((3, 3, inputs, channels))
            inputs = channels
    weights = []
    for shape in shapes:
        kernel = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        weights += [kernel.astype("float32"), np.zeros(shape[-1], "float32")]
    points = rng.normal(size=(PREPARED, settings.batch_size, LATENT_DIM))
    return weights, points.astype("float32")


# Keras


def keras_generator(weights):
    import keras

    from keras_disentangle.layers import PixelNormalization

    layers = keras.layers
    names = iter(ACTIVATIONS)

    def normalized(x):
        return PixelNormalization(EPSILON, name=next(names))(layers.LeakyReLU(SLOPE)(x))

    inputs = keras.Input((LATENT_DIM,))
    x = layers.Dense(16 * CHANNELS[0])(PixelNormalization(EPSILON)(inputs))
    x = normalized(layers.Reshape((4, 4, CHANNELS[0]))(x))
    x = normalized(layers.Conv2D(CHANNELS[0], 3, padding="same")(x))
    for channels in CHANNELS[1:]:
        x = layers.UpSampling2D()(x)
        for _ in range(2):
            x = normalized(layers.Conv2D(channels, 3, padding="same")(x))
    model = keras.Model(inputs, x)
    model.set_weights(weights)
    return model


def keras_loss(model, directions, one_pass, normalized=False):
    """The loss, and the generator that it draws its directions from."""
    import keras

    from keras_disentangle.losses import HessianPenaltyLoss

    seed = keras.random.SeedGenerator(SEED)
    settings = {"num_directions": directions, "one_pass": one_pass, "seed": seed}
    settings["normalized"] = normalized
    return HessianPenaltyLoss(model, ACTIVATIONS, **settings), seed


def tensorflow_step(model, directions=DIRECTIONS, one_pass=False, normalized=False):
    """Function from a point to the penalty and its gradients."""
    import tensorflow as tf

    loss, _ = keras_loss(model, directions, one_pass, normalized)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function
    def step(z):
        with tf.GradientTape() as tape:
            penalty = loss(z)
        return penalty, tape.gradient(penalty, variables)

    return step


def tensorflow_penalty(settings, data, **arguments):
    import tensorflow as tf

    weights, points = data
    model = keras_generator(weights)
    step = tensorflow_step(model, **arguments)
    take_turn = turns(step, [tf.constant(z) for z in points])
    return contender(take_turn, about_tensorflow(), model.trainable_variables)


def tensorflow_floor(settings, data):
    import tensorflow as tf

    weights, points = data
    model = keras_generator(weights)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function
    def there_and_back(z):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(z))
        return total, tape.gradient(total, variables)

    def step(z):
        for _ in range(2 * DIRECTIONS):
            found = there_and_back(z)
        return found

    take_turn = turns(step, [tf.constant(z) for z in points], is_penalty=False)
    return contender(take_turn, about_tensorflow(), model.trainable_variables)


def jax_penalty(settings, data, one_pass=False):
    import jax
    import keras

    weights, points = data
    model = keras_generator(weights)
    loss, seed = keras_loss(model, DIRECTIONS, one_pass)
    variables = model.trainable_variables

    def penalty(values, state, z):
        given = [*zip(variables, values, strict=True), (seed.state, state)]
        with keras.StatelessScope(given) as scope:
            value = loss(z)
        return value, scope.get_current_value(seed.state)

    compiled = jax.jit(jax.value_and_grad(penalty, has_aux=True))
    values, state = [variable.value for variable in variables], seed.state.value

    def step(z):
        nonlocal state
        (value, state), gradients = compiled(values, state, z)
        jax.block_until_ready(gradients)
        return value, gradients

    take_turn = turns(step, [jax.numpy.asarray(z) for z in points])
    return contender(take_turn, f"JAX {jax.__version__}", variables)


# The authors' release


def torch_penalty(settings, data, channels_last=False):
    import torch

    release = pathlib.Path(settings.official) / RELEASE
    spec = importlib.util.spec_from_file_location(release.stem, release)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    weights, points = data
    generator = torch_generator(weights, channels_last)
    parameters = list(generator.parameters())
    called = torch.compile(generator) if settings.torch_compile else generator

    def step(z):
        penalty = module.hessian_penalty(called, z, k=DIRECTIONS)
        return penalty.detach(), torch.autograd.grad(penalty, parameters)

    take_turn = turns(step, [torch.from_numpy(z) for z in points])
    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    return contender(take_turn, about, parameters)


def torch_generator(weights, channels_last):
    """The module from z to the list of activations."""
    import torch
    from torch import nn
    from torch.nn import functional

    def pixel_norm(x):
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            tensors = [torch.from_numpy(weight) for weight in weights]
            self.dense = nn.ParameterList(tensors[:2])
            self.kernels = nn.ParameterList(x.permute(3, 2, 0, 1) for x in tensors[2::2])
            self.biases = nn.ParameterList(tensors[3::2])
            layout = torch.channels_last if channels_last else torch.contiguous_format
            for kernel in self.kernels:
                kernel.data = kernel.data.contiguous(memory_format=layout)

        def forward(self, z):
            x = pixel_norm(z) @ self.dense[0] + self.dense[1]
            x = x.view(-1, 4, 4, CHANNELS[0]).permute(0, 3, 1, 2)
            x = x if channels_last else x.contiguous()
            found = [pixel_norm(functional.leaky_relu(x, SLOPE))]
            for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
                x = found[-1]
                if i % 2:
                    x = functional.interpolate(x, scale_factor=2, mode="nearest")
                x = functional.conv2d(x, kernel, bias, padding=1)
                found.append(pixel_norm(functional.leaky_relu(x, SLOPE)))
            return found

    return Generator()


CONTENDERS = {
    "tensorflow": (tensorflow_penalty, "tensorflow"),
    "tensorflow_one_pass": (functools.partial(tensorflow_penalty, one_pass=True), "tensorflow"),
    "tensorflow_k4": (functools.partial(tensorflow_penalty, directions=4), "tensorflow"),
    "tensorflow_k8": (functools.partial(tensorflow_penalty, directions=8), "tensorflow"),
    "tensorflow_normalized": (
        functools.partial(tensorflow_penalty, normalized=True),
        "tensorflow",
    ),
    "floor": (tensorflow_floor, "tensorflow"),
    "jax": (jax_penalty, "jax"),
    "jax_one_pass": (functools.partial(jax_penalty, one_pass=True), "jax"),
    "torch": (torch_penalty, None),
    "torch_channels_last": (functools.partial(torch_penalty, channels_last=True), None),
}


def turns(step, points, is_penalty=True):
    """`take_turn` of a `Contender`, from a function to a scalar and gradients."""
    endless, values = itertools.cycle(points), []

    def take_turn(steps):
        start = time.perf_counter()
        found = [step(next(endless))[0] for _ in range(steps)]
        values.extend(map(float, found))  # waits for the last one
        seconds = time.perf_counter() - start
        return seconds, {"penalty": sum(values) / len(values)} if is_penalty else {}

    return take_turn


def contender(take_turn, about, variables):
    return Contender(take_turn, about, {"generator": count(variables)})


# Memory


def memory(settings, one_pass):
    """By how many MiB the peak of the resident memory rises while the traced step runs."""
    hide_devices()
    import os

    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    weights, points = draw(settings)
    step = tensorflow_step(keras_generator(weights), one_pass=one_pass)
    z = tf.constant(points[0])
    traced = step.get_concrete_function(z)
    before = peak()
    for _ in range(3):
        traced(z)
    return peak() - before


def peak():
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    main()
