"""The training step of the discriminative VAE on the CPU: TensorFlow, plain PyTorch and JAX.

    python scripts/benchmarks/discriminative_step.py
    python scripts/benchmarks/discriminative_step.py --rounds 9 --only tensorflow torch
    python scripts/benchmarks/discriminative_step.py --data-dir data

The application's small auto-encoder with 32 latents, the features `norm_2`, `norm_4` and `norm_6`
of its classifier, one learnt log sigma of each pixel and each unit of the features with a floor of
-4, Adam; by default 100 images of 28×28×1, float32, and every framework's own choice of threads.
The contenders:

    tensorflow  `models.DiscriminativeVAE`: its compiled step on batches that are already tensors
    jax         the same with JAX
    torch       the same networks, objective and Adam, written in plain PyTorch with channels_last:
                the features of the images without a graph, no gradient that nobody needs, and the
                sum of the log sigma taken once, not for every image
    plain       `models.VAE` of the same auto-encoder, with TensorFlow: what the features cost

The classifier's weights are random, and its moving statistics those of a batch; both are the same
for all. The images are random numbers, or Fashion-MNIST with `--data-dir`: a step takes as long for
the ones as for the others.

Each lives in a process of its own and does nothing until its turn comes. In every round each runs
the same number of steps, one after another and every other round in reverse, so that a machine
that slows down or speeds up hits all alike. Prints the milliseconds a step (median of the rounds,
fastest, slowest) and the ratios of the medians, with the smallest and largest ratio of any round;
then how often the classifier saw images in a step of `DiscriminativeVAE` that is run eagerly. The
mean loss over all the steps shows that the contenders train alike; it is not the same number, for
the auto-encoder's weights and the noise are drawn by each framework.

Nothing else should run meanwhile: PyTorch's threads wait for each other, and one that is kept from
its core makes a step many times as long.
"""

import argparse
import itertools
import math
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

IMAGE_SHAPE = (28, 28, 1)
LATENT_DIM = 32
FEATURES = ("norm_2", "norm_4", "norm_6")
MIN_LOG_STD = -4.0
LEARNING_RATE = 1e-3
SEED = 0

# numerator, denominator, what is wished for
RATIOS = (
    ("tensorflow", "torch", "<= 0.9"),
    ("jax", "tensorflow", "<= 3.0"),
    ("tensorflow", "plain", "none"),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, CONTENDERS, batch_size=100)
    parser.add_argument("--data-dir", help="folder with Fashion-MNIST, instead of random numbers")
    settings = parser.parse_args()
    check_options(parser, settings, CONTENDERS)
    if settings.batch_size < 2:
        parser.error("--batch-size must be at least 2: the networks normalise their batches")
    hold(CONTENDERS, RATIOS, settings, draw, digits=1)


def draw(settings):
    """Batches (PREPARED, batch, h, w, 1), uint8; and the classifier, a dict of a layer's name to
    its arrays."""
    hide_devices()
    import keras
    import numpy as np

    from keras_disentangle.applications.discriminative_vae.networks import classifier_network
    from keras_disentangle.datasets import load_images

    rng = np.random.default_rng(SEED)
    shape = (PREPARED, settings.batch_size)
    if settings.data_dir is None:
        images = rng.integers(256, size=(*shape, *IMAGE_SHAPE), dtype="uint8")
    else:
        images, _ = load_images("fashion_mnist", data_dir=settings.data_dir)
        images = images[rng.integers(len(images), size=shape)]

    keras.utils.set_random_seed(SEED)
    classifier = classifier_network(IMAGE_SHAPE, 10)
    for layer in classifier.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    classifier(to_float(images[0]), training=True)
    return images, {layer.name: layer.get_weights() for layer in classifier.layers if layer.weights}


# Contenders


def regularised_tensorflow(settings, data):
    return keras_contender(compiled_model(data), data, tensorflow_step, lambda: passes(data))


def regularised_jax(settings, data):
    return keras_contender(compiled_model(data), data, jax_step)


def plain_tensorflow(settings, data):
    return keras_contender(compiled_model(data, features=False), data, tensorflow_step)


def regularised_torch(settings, data):
    import torch

    batches, arrays = data
    model = torch_model(arrays).to(memory_format=torch.channels_last)
    step = torch_step(model, settings.torch_fused, settings.torch_compile)
    endless = itertools.cycle([torch_images(images) for images in batches])
    total, done = torch.zeros(()), 0

    def take_turn(steps):
        nonlocal total, done
        start = time.perf_counter()
        for _ in range(steps):
            total = total + step(next(endless))
        done += steps
        loss = float(total) / done
        return time.perf_counter() - start, {"mean loss": loss}

    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    parts = {
        "encoder": model.encoder.parameters(),
        "decoder": model.decoder.parameters(),
        "scale of pixels": [model.log_std],
        "scales of features": model.log_stds,
    }
    return Contender(take_turn, about, {name: count(part) for name, part in parts.items()})


CONTENDERS = {
    "tensorflow": (regularised_tensorflow, "tensorflow"),
    "jax": (regularised_jax, "jax"),
    "torch": (regularised_torch, None),
    "plain": (plain_tensorflow, "tensorflow"),
}


def compiled_model(data, features=True, run_eagerly=False):
    """`models.DiscriminativeVAE`, or the `models.VAE` that it is without features."""
    import keras

    from keras_disentangle import losses, models
    from keras_disentangle.applications.discriminative_vae import networks

    keras.utils.set_random_seed(SEED)
    parts = networks.small_networks(IMAGE_SHAPE, LATENT_DIM)
    settings = {
        "observation": "gaussian",
        "pixel_scale": "full",
        "min_log_std": MIN_LOG_STD,
        "seed": SEED,
    }
    if features:
        classifier = networks.classifier_network(IMAGE_SHAPE, 10)
        for name, arrays in data[1].items():
            classifier.get_layer(name).set_weights(arrays)
        classifier.trainable = False
        loss = losses.FeatureMatchingLoss(
            classifier, FEATURES, min_log_std=MIN_LOG_STD, scale="full"
        )
        model = models.DiscriminativeVAE(**parts, feature_loss=loss, **settings)
    else:
        model = models.VAE(**parts, **settings)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), run_eagerly=run_eagerly)
    return model


def keras_contender(model, data, step, closing=lambda: None):
    take_turn, about = step(model, data[0], lambda logs: {"mean loss": float(logs["loss"])})
    parts = {
        "encoder": model.encoder.trainable_variables,
        "decoder": model.decoder.trainable_variables,
        "scale of pixels": [model.log_std],
    }
    if hasattr(model, "feature_loss"):
        parts["scales of features"] = model.feature_loss.trainable_variables
    networks = {name: count(variables) for name, variables in parts.items()}
    return Contender(take_turn, about, networks, closing)


def passes(data):
    """How often the classifier's features are computed in a step, and of which images."""
    import numpy as np

    model = compiled_model(data, run_eagerly=True)
    network, seen = model.feature_loss.feature_model, []
    activations = network.activations

    def counted(images):
        seen.append(images.numpy())
        return activations(images)

    network.activations = counted
    x = to_float(data[0][0])
    model.train_on_batch(x)
    of_x = sum(np.array_equal(images, x) for images in seen)
    others = len(seen) - of_x
    return f"the classifier runs {of_x} time(s) a step on images, {others} on reconstructions"


# Plain PyTorch


def torch_model(arrays):
    """A VAE with discriminative regularisation as one would write it in PyTorch.

    The module maps images to the objective in nats, a mean over the batch. The parameters of the
    auto-encoder come in the order of Keras's and with its initial distributions.

    Args:
        arrays: the classifier's, as `draw` gives them.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    statistics = {"eps": 1e-3, "momentum": 0.1}  # Keras's epsilon, and 1 - its momentum

    def normalized(layer, channels):
        dense = isinstance(layer, nn.Linear)
        norm = (nn.BatchNorm1d if dense else nn.BatchNorm2d)(channels, **statistics)
        return nn.Sequential(layer, norm, nn.ReLU(inplace=True))

    def dense(inputs, units):
        return normalized(nn.Linear(inputs, units, bias=False), units)

    halving = {"kernel_size": 4, "stride": 2, "padding": 1}

    # Between maps and vectors the axes are moved as channels_last has them in memory: no copies.

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps = nn.Sequential(
                normalized(nn.Conv2d(1, 32, **halving, bias=False), 32),
                normalized(nn.Conv2d(32, 64, **halving, bias=False), 64),
            )
            self.dense = nn.Sequential(dense(7 * 7 * 64, 256), nn.Linear(256, 2 * LATENT_DIM))

        def forward(self, x):
            return self.dense(self.maps(x).permute(0, 2, 3, 1).flatten(1)).chunk(2, dim=1)

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Sequential(dense(LATENT_DIM, 256), dense(256, 7 * 7 * 64))
            self.maps = nn.Sequential(
                normalized(nn.ConvTranspose2d(64, 32, **halving, bias=False), 32),
                nn.ConvTranspose2d(32, 1, **halving),
                nn.Sigmoid(),
            )

        def forward(self, z):
            return self.maps(self.dense(z).view(-1, 7, 7, 64).permute(0, 3, 1, 2))

    class Classifier(nn.Module):
        """Images to what the second, fourth and sixth normalisation give, before the ReLU."""

        def __init__(self):
            super().__init__()
            self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
            for i in range(1, 7):
                kernel, *norm = (
                    torch.from_numpy(x) for x in (*arrays[f"conv_{i}"], *arrays[f"norm_{i}"])
                )
                side, _, inputs, channels = kernel.shape
                padding = (32 - IMAGE_SHAPE[0]) // 2 if i == 1 else 0
                stride = 1 if i % 2 else 2
                conv = nn.Conv2d(inputs, channels, side, stride, padding, bias=False)
                conv.weight.data.copy_(kernel.permute(3, 2, 0, 1))
                self.convs.append(conv)
                self.norms.append(nn.BatchNorm2d(channels, **statistics))
                names = ("weight", "bias", "running_mean", "running_var")
                for name, value in zip(names, norm, strict=True):
                    getattr(self.norms[-1], name).data.copy_(value)
            self.eval().requires_grad_(False)

        def forward(self, x):
            features = []
            for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
                x = norm(conv(functional.relu(x, inplace=i % 2 == 1) if i else x))
                if i % 2:
                    features.append(x)
            return features

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder, self.classifier = Encoder(), Decoder(), Classifier()
            for network in (self.encoder, self.decoder):
                for layer in network.modules():
                    if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                        nn.init.normal_(layer.weight, std=0.033)
                        if layer.bias is not None:
                            nn.init.zeros_(layer.bias)
            height, width, channels = IMAGE_SHAPE
            images = torch.zeros(1, channels, height, width)
            self.log_std = nn.Parameter(torch.zeros_like(images))
            self.log_stds = nn.ParameterList(torch.zeros_like(x) for x in self.classifier(images))

        def forward(self, x):
            with torch.no_grad():
                wanted = self.classifier(x)
            mean, log_var = self.encoder(x)
            y = self.decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
            kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum() / len(x)
            loss = kl + nll(x, y, self.log_std)
            for term in zip(wanted, self.classifier(y), self.log_stds, strict=True):
                loss = loss + nll(*term)
            return loss

    def nll(x, mean, log_std):
        scaled = (x - mean) * torch.exp(-log_std)
        constant = (log_std + 0.5 * math.log(2 * math.pi)).sum()
        return constant + 0.5 * scaled.square().sum() / len(x)

    return Model()


def torch_step(model, fused=False, compiled=False):
    """A function of images that moves the model by a step of Adam, to the objective before it.

    Args:
        model: what `torch_model` gives.
        fused: whether Adam runs in one kernel.
        compiled: whether to use `torch.compile`.
    """
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, eps=1e-7, **settings)
    objective = torch.compile(model) if compiled else model
    scales = [model.log_std, *model.log_stds]

    def step(images):
        loss = objective(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for log_std in scales:
                log_std.clamp_(min=MIN_LOG_STD)
        return loss.detach()

    return step


def torch_images(batch):
    """uint8 images (batch, h, w, c) to floats in [0, 1], channels_last (batch, c, h, w)."""
    import torch

    images = torch.from_numpy(to_float(batch)).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
