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
import itertools
import os
import sys
import time

from _contest import (
    PREPARED,
    Contender,
    about_tensorflow,
    add_options,
    check_options,
    count,
    hold,
    jax_step,
    tensorflow_step,
    to_float,
)

RUNGS = (3, 3, 3)  # as the ladder in plain PyTorch below, most abstract first
BETA = 1.0
LEARNING_RATE = 5e-4

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
    parser.add_argument(
        "--image-size",
        type=int,
        default=64,
        help="side of the images in pixels, a multiple of 16 up to 128 (default: %(default)s)",
    )
    add_options(
        parser,
        CONTENDERS,
        batch_size=100,
        about_steps="training steps in a turn; few, and the start of fit's epoch counts for much",
    )
    settings = parser.parse_args()
    check_options(parser, settings, CONTENDERS)
    if settings.image_size % 16 or not 16 <= settings.image_size <= 128:
        parser.error("--image-size must be a multiple of 16, 16 to 128")
    hold(CONTENDERS, RATIOS, settings, draw_batches, digits=1)


def draw_batches(settings):
    """Batches (PREPARED, batch, h, w, 1), uint8, of random dSprites."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    from keras_disentangle.datasets import DSprites

    data = DSprites(settings.image_size)
    index = np.random.default_rng(0).integers(len(data), size=PREPARED * settings.batch_size)
    return data.images(index).reshape(PREPARED, settings.batch_size, *data.image_shape)


def bare_tensorflow(settings, batches):
    return bare(compiled_provlae(settings), batches, tensorflow_step)


def bare_jax(settings, batches):
    return bare(compiled_provlae(settings), batches, jax_step)


def bare(model, batches, step):
    take_turn, about = step(model, batches, lambda logs: {"mean loss": float(logs["loss"])})
    return Contender(take_turn, about, {"ladder": count(model.trainable_variables)})


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
        return clock.seconds, {}

    networks = {"ladder": count(model.trainable_variables)}
    return Contender(take_turn, about_tensorflow(), networks)


def bare_torch(settings, batches):
    import torch

    model = torch_ladder(settings.image_size).to(memory_format=torch.channels_last)
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
        return time.perf_counter() - start, {"mean loss": loss}

    return Contender(take_turn, about, {"ladder": count(model.parameters())})


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
