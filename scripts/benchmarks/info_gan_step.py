"""The training step of InfoGAN on the CPU: TensorFlow against a GAN, plain PyTorch, and JAX.

    python scripts/benchmarks/info_gan_step.py
    python scripts/benchmarks/info_gan_step.py --rounds 9 --only infogan_tensorflow torch
    python scripts/benchmarks/info_gan_step.py --check

The preset "mnist" of the application: the paper's networks for MNIST, 62 noise variables, a
categorical code and two continuous ones, Adam; by default 128 images of 28×28×1, float32, and every
framework's own choice of threads. The contenders:

    infogan_tensorflow  `models.InfoGAN`: its compiled step on batches that are already tensors
    gan_tensorflow      `models.GAN` with the same generator and discriminator and no Q head: what
                        the information costs
    torch               the same networks, objectives and Adam, written in plain PyTorch with
                        channels_last: one pass of the generator for both players, and no gradient
                        that nobody needs
    jax                 `models.InfoGAN` with JAX

A step moves the discriminator with the Q head, then the generator; each contender draws its codes
itself. The images are random numbers: a step takes as long for them as for digits.

Each lives in a process of its own and does nothing until its turn comes. In every round each runs
the same number of steps, one after another and every other round in reverse, so that a machine
that slows down or speeds up hits all alike. Prints the milliseconds a step (median of the rounds,
fastest, slowest) and the ratios of the medians, with the smallest and largest ratio of any round;
then how often each Keras step was traced, which is once however long it trains. The mean losses of
both players and the information bound (nats) over all the steps show that the contenders train
alike; they are not the same numbers, for weights and codes are drawn by each framework.

`--check` times nothing. It starts infogan_tensorflow and torch from equal weights, gives them the
same images and codes for two steps, and compares discriminator_loss, generator_loss and the
information bound of each step. Within a step, the generator's loss is that after the
discriminator's move; the second step is computed with everything moved. It fails if a loss differs
by more than 1e-4 in the first step or 1e-3 in the second, relative to the larger of 1 and the loss.

Nothing else should run meanwhile: PyTorch's threads wait for each other, and one that is kept from
its core makes a step many times as long.
"""

import argparse
import itertools
import math
import os
import sys
import time

from _contest import (
    PREPARED,
    Contender,
    add_options,
    check_options,
    count,
    hide_devices,
    hold,
    in_own_process,
    jax_step,
    tensorflow_step,
    to_float,
)

IMAGE_SHAPE = (28, 28, 1)
SEED = 0
EPSILON = 1e-7  # Keras's for Adam
BETA_2 = 0.999
# Of `--check`, for each step; Adam divides small gradients by their size, and rounding with them.
TOLERANCES = (1e-4, 1e-3)

# numerator, denominator, what is wished for
RATIOS = (
    ("infogan_tensorflow", "gan_tensorflow", "<= 1.08"),
    ("infogan_tensorflow", "torch", "<= 0.9"),
    ("jax", "infogan_tensorflow", "<= 3.0"),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, CONTENDERS, batch_size=128)
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare the losses of TensorFlow and PyTorch from equal weights, and time nothing",
    )
    settings = parser.parse_args()
    check_options(parser, settings, CONTENDERS)
    if settings.batch_size < 2:
        parser.error("--batch-size must be at least 2: the networks normalise their batches")
    if settings.check:
        check(settings)
    else:
        hold(CONTENDERS, RATIOS, settings, draw, digits=3)


def draw(settings):
    """Batches (PREPARED, batch, h, w, 1), uint8, of random pixels, and the preset as a dict."""
    hide_devices()
    from dataclasses import asdict

    import numpy as np

    from keras_disentangle.applications.info_gan.recipes import PRESETS

    shape = (PREPARED, settings.batch_size, *IMAGE_SHAPE)
    images = np.random.default_rng(SEED).integers(256, size=shape, dtype="uint8")
    return images, asdict(PRESETS["mnist"])


# Contenders


def infogan_tensorflow(settings, data):
    return keras_contender(compiled_model("InfoGAN"), data, tensorflow_step)


def gan_tensorflow(settings, data):
    return keras_contender(compiled_model("GAN"), data, tensorflow_step)


def infogan_jax(settings, data):
    return keras_contender(compiled_model("InfoGAN"), data, jax_step)


def infogan_torch(settings, data):
    import torch

    images, preset = data
    players, _, step = torch_info_gan(preset, settings.torch_fused, settings.torch_compile)
    draw_codes = torch_codes(preset, settings.batch_size)
    endless = itertools.cycle([torch_images(batch) for batch in images])
    totals, done = torch.zeros(3), 0

    def take_turn(steps):
        nonlocal totals, done
        start = time.perf_counter()
        for _ in range(steps):
            totals = totals + torch.stack(step(next(endless), draw_codes()))
        done += steps
        means = (totals / done).tolist()
        return time.perf_counter() - start, dict(zip(("D", "G", "L_I"), means, strict=True))

    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    networks = {name: count(player.parameters()) for name, player in players.items()}
    return Contender(take_turn, about, networks)


CONTENDERS = {
    "infogan_tensorflow": (infogan_tensorflow, "tensorflow"),
    "gan_tensorflow": (gan_tensorflow, "tensorflow"),
    "torch": (infogan_torch, None),
    "jax": (infogan_jax, "jax"),
}


def compiled_model(kind):
    """`models.InfoGAN`, or `models.GAN` of the same networks, as the preset has it."""
    import keras

    from keras_disentangle import models
    from keras_disentangle.applications.info_gan.recipes import PRESETS

    keras.utils.set_random_seed(SEED)
    preset = PRESETS["mnist"]
    arguments = preset.model_arguments()
    if kind == "GAN":
        names = ("generator", "discriminator", "space")
        arguments = {name: arguments[name] for name in names}
    model = getattr(models, kind)(**arguments, seed=SEED)
    model.compile(**preset.optimizers())
    return model


def keras_contender(model, data, step):
    traces = 0
    train_step = model.train_step

    def traced(*arguments):
        nonlocal traces
        traces += 1
        return train_step(*arguments)

    model.train_step = traced  # Python runs it only when it is traced
    take_turn, about = step(model, data[0], keras_losses)
    networks = {name: count(net.trainable_variables) for name, net in players_of(model).items()}
    return Contender(take_turn, about, networks, lambda: f"step traced {traces} time(s)")


def players_of(model):
    names = ("generator", "discriminator", "q_head")
    return {name: getattr(model, name) for name in names if hasattr(model, name)}


def keras_losses(logs):
    bounds = [float(value) for name, value in logs.items() if is_bound(name)]
    losses = {"D": float(logs["discriminator_loss"]), "G": float(logs["generator_loss"])}
    return {**losses, "L_I": sum(bounds)} if bounds else losses


def is_bound(name):
    return name.startswith("information_") and not name.startswith("information_weight_")


# Plain PyTorch


def torch_info_gan(preset, fused=False, compiled=False):
    """InfoGAN as one would write it in PyTorch.

    Args:
        preset: the application's preset, as a dict.
        fused: whether Adam runs in one kernel.
        compiled: whether to use `torch.compile`.

    Returns:
        The modules, a dict of "generator", "discriminator" and "q_head", whose parameters come in
        the order of Keras's; the list of optimizers; and a function (images, codes) ->
        (discriminator's loss, generator's loss, information bound) that moves them by one step.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    def normalized_dense(inputs, units, activation):
        layers = nn.Linear(inputs, units, bias=False), nn.BatchNorm1d(units), activation
        return nn.Sequential(*layers)

    def leaky():
        return nn.LeakyReLU(0.1, inplace=True)

    def relu():
        return nn.ReLU(inplace=True)

    # Between maps and vectors the axes are moved as channels_last has them in memory: no copies.

    class Generator(nn.Module):
        def __init__(self, latent_dim):
            super().__init__()
            self.dense = nn.Sequential(
                normalized_dense(latent_dim, 1024, relu()),
                normalized_dense(1024, 7 * 7 * 128, relu()),
            )
            self.maps = nn.Sequential(
                nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(64),
                relu(),
                nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
                nn.Sigmoid(),
            )

        def forward(self, codes):
            return self.maps(self.dense(codes).view(-1, 7, 7, 128).permute(0, 3, 1, 2))

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps = nn.Sequential(
                nn.Conv2d(1, 64, 4, stride=2, padding=1),
                leaky(),
                nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(128),
                leaky(),
            )
            self.features = normalized_dense(7 * 7 * 128, 1024, leaky())
            self.logit = nn.Linear(1024, 1)

        def forward(self, images):
            features = self.features(self.maps(images).permute(0, 2, 3, 1).flatten(1))
            return self.logit(features), features

    (categories,), size = preset["categories"], preset["continuous"]
    hidden, fixed_std = preset["q_hidden"], preset["posterior_std"]
    num_params = categories + (size if fixed_std else 2 * size)
    generator = Generator(preset["noise"] + categories + size)
    discriminator = Discriminator()
    q_head = nn.Sequential(normalized_dense(1024, hidden, leaky()), nn.Linear(hidden, num_params))
    players = {"generator": generator, "discriminator": discriminator, "q_head": q_head}
    for name, parameter in itertools.chain(*(net.named_parameters() for net in players.values())):
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    for network in players.values():
        network.to(memory_format=torch.channels_last)

    judges = [*discriminator.parameters(), *q_head.parameters()]
    settings = {"betas": (preset["beta_1"], BETA_2), "eps": EPSILON}
    settings |= {"fused": True} if fused else {}
    g_rate, d_rate = preset["generator_learning_rate"], preset["discriminator_learning_rate"]
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=g_rate, **settings)
    d_optimizer = torch.optim.Adam(judges, lr=d_rate, **settings)

    generate, discriminate, recognize = players.values()
    if compiled:
        generate, discriminate, recognize = map(torch.compile, players.values())

    def information(features, codes):
        """The bound of the categorical and of the continuous codes, in nats."""
        params, informative = recognize(features), codes[:, preset["noise"] :]
        one_hot, values = informative.split((categories, size), dim=1)
        log_q = (one_hot * functional.log_softmax(params[:, :categories], dim=1)).sum(1)
        mean = params[:, categories : categories + size]
        if fixed_std:
            log_std = torch.full_like(mean, math.log(fixed_std))
        else:
            log_std = params[:, categories + size :].clamp(min=math.log(1e-3))
        nll = log_std + 0.5 * ((values - mean) * torch.exp(-log_std)).square()
        nll = nll.sum(1) + 0.5 * size * math.log(2 * math.pi)
        return log_q.mean() + math.log(categories), size * math.log(2) - nll.mean()

    def weighted(bounds):
        return preset["categorical_weight"] * bounds[0] + preset["continuous_weight"] * bounds[1]

    def cross_entropy(logits, is_real):
        targets = torch.full_like(logits, float(is_real))
        return functional.binary_cross_entropy_with_logits(logits, targets)

    def step(images, codes):
        fake = generate(codes)

        real_logits, _ = discriminate(images)
        fake_logits, features = discriminate(fake.detach())
        d_loss = cross_entropy(real_logits, True) + cross_entropy(fake_logits, False)
        bounds = information(features, codes)
        d_optimizer.zero_grad()
        (d_loss - weighted(bounds)).backward()
        d_optimizer.step()

        for parameter in judges:
            parameter.requires_grad_(False)
        fake_logits, features = discriminate(fake)
        g_loss = cross_entropy(fake_logits, True)
        g_optimizer.zero_grad()
        (g_loss - weighted(information(features, codes))).backward()
        g_optimizer.step()
        for parameter in judges:
            parameter.requires_grad_(True)
        return d_loss.detach(), g_loss.detach(), sum(bounds).detach()

    return players, [g_optimizer, d_optimizer], step


def torch_codes(preset, batch_size, device="cpu"):
    """A function () that draws latent vectors (batch, latent_dim) on a device."""
    import torch

    (categories,), size = preset["categories"], preset["continuous"]

    def uniform(size):
        return torch.empty(batch_size, size, device=device).uniform_(-1.0, 1.0)

    def draw_codes():
        index = torch.randint(categories, (batch_size,), device=device)
        one_hot = torch.nn.functional.one_hot(index, categories).float()
        return torch.cat([uniform(preset["noise"]), one_hot, uniform(size)], dim=1)

    return draw_codes


def torch_images(batch):
    """uint8 images (batch, h, w, c) to floats in [0, 1], channels_last (batch, c, h, w)."""
    import torch

    images = torch.from_numpy(to_float(batch)).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


# Are the steps the same?


def check(settings):
    """Prints the losses of both frameworks from equal weights; ends with 1 if they differ."""
    data = in_own_process(draw, settings)
    differ = False
    print("step  loss       tensorflow          torch  difference")
    for step, (ours, theirs) in enumerate(in_own_process(losses_of_both, settings, data)):
        for name, value in ours.items():
            difference = abs(value - theirs[name]) / max(1.0, abs(value))
            is_equal = difference <= TOLERANCES[step]  # not so for NaN
            differ |= not is_equal
            verdict = "" if is_equal else f"  more than {TOLERANCES[step]:g}"
            numbers = f"{value:15.6f}{theirs[name]:15.6f}  {difference:.1e}"
            print(f"{step + 1:4}  {name:4} {numbers}{verdict}")
    if differ:
        sys.exit("The steps differ: the contest would not be fair.")


def losses_of_both(settings, data):
    """For each step, the losses of infogan_tensorflow and of torch, two dicts."""
    hide_devices()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import torch  # isort: split

    # TensorFlow must come after PyTorch.
    import keras
    import tensorflow as tf

    images, preset = data
    model = compiled_model("InfoGAN")
    model.make_train_function()
    players, optimizers, step = torch_info_gan(preset, settings.torch_fused, settings.torch_compile)
    for name, network in players_of(model).items():
        copy_weights(network, players[name])
    # A generator like the model's own draws what the model is going to draw.
    seed_generator = keras.random.SeedGenerator(SEED)
    results = []
    for i in range(len(TOLERANCES)):
        codes = model.space.sample(settings.batch_size, seed=seed_generator).numpy()
        model.reset_metrics()
        logs = model.train_function(iter([(tf.constant(to_float(images[i])),)]))
        # Keras adds epsilon to the root of the second moment, PyTorch to that of the corrected one.
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["eps"] = EPSILON / math.sqrt(1 - BETA_2 ** (i + 1))
        losses = [float(x) for x in step(torch_images(images[i]), torch.from_numpy(codes))]
        results.append((keras_losses(logs), dict(zip(("D", "G", "L_I"), losses, strict=True))))
    return results


def copy_weights(network, module):
    """Gives a PyTorch module the weights of a Keras network, which come in the same order."""
    import torch

    variables, parameters = network.trainable_variables, list(module.parameters())
    for variable, parameter in zip(variables, parameters, strict=True):
        # Kernels: (inputs, units), and (h, w, channels, channels) for either convolution.
        value = variable.numpy().transpose()
        if value.ndim == 4:
            value = value.swapaxes(2, 3)
        if value.shape != tuple(parameter.shape):
            sys.exit(f"{variable.path} {variable.shape} does not fit {tuple(parameter.shape)}")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(value.copy()))


if __name__ == "__main__":
    main()
