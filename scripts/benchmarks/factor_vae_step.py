"""The training step of FactorVAE on the CPU: TensorFlow, plain PyTorch and JAX.

    python scripts/benchmarks/factor_vae_step.py
    python scripts/benchmarks/factor_vae_step.py --rounds 9 --only tensorflow torch --image-size 32

By default the convolutional networks of the common protocol (Locatello et al., 2019), 10 latents,
the discriminator of the paper, 64 images of 64×64×1, and every framework's own choice of threads.
The contenders:

    tensorflow  `models.FactorVAE`: its compiled step on batches that are already tensors
    jax         the same with JAX
    torch       the same networks, both objectives and both Adams, written in plain PyTorch with
                channels_last; no gradient that nobody needs: the discriminator's parameters take
                none in the VAE's half of the step, and the codes none in the discriminator's
    plain       `models.VAE` of the same networks, with TensorFlow: what the discriminator costs
    beta_tc     `models.BetaTCVAE` of them, with TensorFlow: what its total correlation costs

Each lives in a process of its own and does nothing until its turn comes. In every round each runs
the same number of steps, one after another and every other round in reverse, so that a machine
that slows down or speeds up hits all alike. Prints the milliseconds a step (median of the rounds,
fastest, slowest) and the ratios of the medians, with the smallest and largest ratio of any round.
The mean losses over all the steps show that the contenders train alike; they are not the same
numbers, for the weights and the noise are drawn by each framework.

Nothing else should run meanwhile: PyTorch's threads wait for each other, and one that is kept from
its core makes a step many times as long.
"""

import argparse
import itertools
import time

from _contest import (
    PREPARED,
    Contender,
    add_options,
    check_options,
    count,
    hide_devices,
    hold,
    jax_step,
    tensorflow_step,
    to_float,
)

LATENT_DIM = 10
GAMMA = 10.0
VAE_ADAM = {"learning_rate": 1e-4}
DISCRIMINATOR_ADAM = {"learning_rate": 1e-4, "beta_1": 0.5, "beta_2": 0.9}
SEED = 0

# numerator, denominator, what is wished for
RATIOS = (
    ("tensorflow", "torch", "<= 0.9"),
    ("jax", "torch", "none"),
    ("tensorflow", "plain", "none"),
    ("beta_tc", "plain", "<= 1.05"),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=64,
        help="side of the images in pixels, a multiple of 16 (default: %(default)s)",
    )
    add_options(parser, CONTENDERS, batch_size=64)
    settings = parser.parse_args()
    check_options(parser, settings, CONTENDERS)
    if settings.image_size % 16 or settings.image_size < 16:
        parser.error("--image-size must be a multiple of 16")
    if settings.batch_size < 2:
        parser.error("--batch-size must be at least 2: codes are permuted over the batch")
    hold(CONTENDERS, RATIOS, settings, draw, digits=2)


def draw(settings):
    """Batches (PREPARED, batch, h, w, 1), uint8, of random dSprites."""
    hide_devices()
    import numpy as np

    from keras_disentangle.datasets import DSprites

    data = DSprites(settings.image_size)
    index = np.random.default_rng(SEED).integers(len(data), size=PREPARED * settings.batch_size)
    return data.images(index).reshape(PREPARED, settings.batch_size, *data.image_shape)


# Contenders


def factor_vae_tensorflow(settings, batches):
    return keras_contender(compiled_model(settings), batches, tensorflow_step)


def factor_vae_jax(settings, batches):
    return keras_contender(compiled_model(settings), batches, jax_step)


def plain_tensorflow(settings, batches):
    return keras_contender(compiled_model(settings, "VAE"), batches, tensorflow_step)


def beta_tc_tensorflow(settings, batches):
    return keras_contender(compiled_model(settings, "BetaTCVAE"), batches, tensorflow_step)


def factor_vae_torch(settings, batches):
    import torch

    model = torch_model(settings.image_size).to(memory_format=torch.channels_last)
    step = torch_step(model, settings.torch_fused, settings.torch_compile)
    images = [torch.from_numpy(to_float(x)).permute(0, 3, 1, 2) for x in batches]
    endless = itertools.cycle([x.contiguous(memory_format=torch.channels_last) for x in images])
    totals, done = torch.zeros(2), 0

    def take_turn(steps):
        nonlocal totals, done
        start = time.perf_counter()
        for _ in range(steps):
            totals = totals + step(next(endless))
        done += steps
        loss, other = (totals / done).tolist()
        return time.perf_counter() - start, {"mean loss": loss, "discriminator": other}

    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    names = ("encoder", "decoder", "discriminator")
    networks = {name: count(getattr(model, name).parameters()) for name in names}
    return Contender(take_turn, about, networks)


CONTENDERS = {
    "tensorflow": (factor_vae_tensorflow, "tensorflow"),
    "jax": (factor_vae_jax, "jax"),
    "torch": (factor_vae_torch, None),
    "plain": (plain_tensorflow, "tensorflow"),
    "beta_tc": (beta_tc_tensorflow, "tensorflow"),
}


def compiled_model(settings, kind="FactorVAE"):
    import keras
    from keras import layers

    from keras_disentangle import models

    keras.utils.set_random_seed(SEED)
    side = settings.image_size // 16
    down = {"strides": 2, "padding": "same", "activation": "relu"}
    encoder = keras.Sequential(
        [
            keras.Input((settings.image_size, settings.image_size, 1)),
            layers.Conv2D(32, 4, **down),
            layers.Conv2D(32, 4, **down),
            layers.Conv2D(64, 2, **down),
            layers.Conv2D(64, 2, **down),
            layers.Flatten(),
            layers.Dense(256, "relu"),
            layers.Dense(2 * LATENT_DIM),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            layers.Dense(256, "relu"),
            layers.Dense(64 * side * side, "relu"),
            layers.Reshape((side, side, 64)),
            layers.Conv2DTranspose(64, 4, **down),
            layers.Conv2DTranspose(32, 4, **down),
            layers.Conv2DTranspose(32, 4, **down),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
        ]
    )
    if kind != "FactorVAE":
        model = getattr(models, kind)(encoder, decoder, seed=SEED)
        model.compile(keras.optimizers.Adam(**VAE_ADAM))
        return model
    model = models.FactorVAE(encoder, decoder, gamma=GAMMA, seed=SEED)
    model.compile(
        vae_optimizer=keras.optimizers.Adam(**VAE_ADAM),
        discriminator_optimizer=keras.optimizers.Adam(**DISCRIMINATOR_ADAM),
    )
    return model


def keras_contender(model, batches, step):
    headings = {"mean loss": "loss", "discriminator": "discriminator_loss"}

    def read(logs):
        return {heading: float(logs[name]) for heading, name in headings.items() if name in logs}

    take_turn, about = step(model, batches, read)
    names = ("encoder", "decoder", "discriminator")
    networks = {
        name: count(getattr(model, name).trainable_variables)
        for name in names
        if hasattr(model, name)
    }
    return Contender(take_turn, about, networks)


# Plain PyTorch


def torch_model(image_size):
    """The three networks as one would write them in PyTorch, with Keras's initial weights."""
    import torch
    from torch import nn

    side = image_size // 16

    def conv(inputs, channels, kernel):
        return nn.Conv2d(inputs, channels, kernel, 2, padding=(kernel - 2) // 2), nn.ReLU()

    def up(inputs, channels):
        return nn.ConvTranspose2d(inputs, channels, 4, 2, padding=1)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                *conv(1, 32, 4),
                *conv(32, 32, 4),
                *conv(32, 64, 2),
                *conv(64, 64, 2),
                nn.Flatten(),
                nn.Linear(64 * side * side, 256),
                nn.ReLU(),
                nn.Linear(256, 2 * LATENT_DIM),
            )
            self.decoder = nn.Sequential(
                nn.Linear(LATENT_DIM, 256),
                nn.ReLU(),
                nn.Linear(256, 64 * side * side),
                nn.ReLU(),
                nn.Unflatten(1, (64, side, side)),
                up(64, 64),
                nn.ReLU(),
                up(64, 32),
                nn.ReLU(),
                up(32, 32),
                nn.ReLU(),
                up(32, 1),
            )
            widths = [LATENT_DIM, *[1000] * 6]
            hidden = [
                layer
                for inputs, units in itertools.pairwise(widths)
                for layer in (nn.Linear(inputs, units), nn.LeakyReLU(0.2, inplace=True))
            ]
            self.discriminator = nn.Sequential(*hidden, nn.Linear(1000, 2))
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)
                else:
                    nn.init.zeros_(parameter)

    torch.manual_seed(SEED)
    return Model()


def torch_step(model, fused=False, compiled=False):
    """A function of images that updates both, to a tensor of the two losses before."""
    import torch
    from torch.nn import functional

    def adam(parameters, learning_rate, beta_1=0.9, beta_2=0.999):
        settings = {"fused": True} if fused else {}
        return torch.optim.Adam(
            parameters, lr=learning_rate, betas=(beta_1, beta_2), eps=1e-7, **settings
        )

    encoder, decoder, discriminator = model.encoder, model.decoder, model.discriminator
    vae_optimizer = adam([*encoder.parameters(), *decoder.parameters()], **VAE_ADAM)
    discriminator_optimizer = adam(discriminator.parameters(), **DISCRIMINATOR_ADAM)

    def vae_loss(x):
        mean, log_var = encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        logits = decoder(z)
        error = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1).mean()
        estimate = discriminator(z)
        correlation = (estimate[:, 0] - estimate[:, 1]).mean()
        return error + kl + GAMMA * correlation, z.detach()

    def discriminator_loss(z):
        permuted = z.gather(0, torch.rand_like(z).argsort(0))
        labels = torch.zeros(len(z), dtype=torch.long, device=z.device)
        real = functional.cross_entropy(discriminator(z), labels)
        return 0.5 * (real + functional.cross_entropy(discriminator(permuted), 1 + labels))

    if compiled:
        vae_loss, discriminator_loss = map(torch.compile, (vae_loss, discriminator_loss))

    def step(x):
        discriminator.requires_grad_(False)
        loss, z = vae_loss(x)
        vae_optimizer.zero_grad()
        loss.backward()
        vae_optimizer.step()
        discriminator.requires_grad_(True)
        other = discriminator_loss(z)
        discriminator_optimizer.zero_grad()
        other.backward()
        discriminator_optimizer.step()
        return torch.stack([loss.detach(), other.detach()])

    return step


if __name__ == "__main__":
    main()
