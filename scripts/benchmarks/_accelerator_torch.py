"""The contenders of `accelerator.py` in plain PyTorch: channels_last, torch.compile, bfloat16."""

import contextlib
import time

import numpy as np

# Sizes of the progressive GAN, as `progressive_gan` has them.
GROWN = {
    "resolution": 128,
    "base_channels": 8192,
    "max_channels": 512,
    "latent_dim": 12,
    "batch": 32,
}
SMALL = {**GROWN, "resolution": 8, "base_channels": 32, "max_channels": 4, "batch": 4}
NUM_LAYERS, HESSIAN_WEIGHT, DRIFT_WEIGHT = 10, 0.1, 1e-3
WARM_UP, ROUNDS = 3, 5


def measure(name, record, limits):
    """Milliseconds of a training step, as it comes, compiled, and compiled in bfloat16."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Keras on JAX, too, multiplies float32 in TensorFloat32 on a GPU.
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    record(torch=torch.__version__, device=device)
    rows, errors = {}, {}
    ways = [("as it comes", False, False), ("compiled", True, False), ("compiled", True, True)]
    for way, compiled, narrow in ways[:1] if limits.smoke else ways:
        if limits.left() < 5:
            return
        torch.manual_seed(0)
        torch.compiler.reset()
        dtype = "bfloat16" if narrow else "float32"
        try:
            # As a default for what steps make, too, it would slow down every call.
            with torch.device(device):
                step = build(name, compiled, limits.smoke)
            context = torch.autocast(device, torch.bfloat16) if narrow else contextlib.nullcontext()
            with context:
                seconds = seconds_of(step, 0 if limits.smoke else 1.5)
            rows[f"{way}, {dtype}"] = {"milliseconds": round(1000 * seconds, 4)}
        except Exception as error:  # A compiler that fails tells nothing of the other ways.
            errors[f"{way}, {dtype}"] = f"{type(error).__name__}: {error}"[:500]
        record(rows=rows, errors=errors)
    if not rows:
        raise RuntimeError(f"nothing ran: {errors}")


def seconds_of(step, seconds):
    """The median over rounds of the seconds that a step takes, measured within `seconds`; of one
    step if that is 0."""
    import torch

    def turn(steps):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / steps

    if not seconds:
        return turn(1)
    turn(WARM_UP)
    steps = max(1, min(2000, int(seconds / ROUNDS / turn(1))))
    return float(np.median([turn(steps) for _ in range(ROUNDS)]))


def build(name, compiled, smoke):
    """A function without arguments that makes one training step."""
    build = {
        "pro_vlae": _pro_vlae,
        "info_gan": _info_gan,
        "factor_vae": _factor_vae,
        "progressive_gan": _progressive_gan,
    }
    return build[name](compiled, smoke)


def _images(batch, channels, size):
    import torch

    images = torch.rand(batch, channels, size, size)
    return images.contiguous(memory_format=torch.channels_last)


def _adam(parameters, rate, betas=(0.9, 0.999), epsilon=1e-7):
    import torch

    fused = torch.cuda.is_available()
    return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=epsilon, fused=fused)


def _pro_vlae(compiled, smoke):
    import torch
    from train_step import BETA, LEARNING_RATE, torch_ladder

    size, batch = (16, 4) if smoke else (64, 100)
    model = torch_ladder(size).to(memory_format=torch.channels_last)
    optimizer = _adam(model.parameters(), LEARNING_RATE)
    ladder = torch.compile(model) if compiled else model
    images = _images(batch, 1, size)

    def step():
        reconstruction, kls = ladder(images, alphas=(1.0, 1.0))
        optimizer.zero_grad()
        (reconstruction + BETA * sum(kls)).mean().backward()
        optimizer.step()

    return step


def _info_gan(compiled, smoke):
    import dataclasses

    import torch
    from info_gan_step import torch_codes, torch_info_gan

    from keras_disentangle.applications.info_gan.recipes import PRESETS

    device = torch.get_default_device()
    preset, batch = dataclasses.asdict(PRESETS["mnist"]), 4 if smoke else 128
    _, _, step = torch_info_gan(preset, torch.cuda.is_available(), compiled)
    images, draw = _images(batch, 1, 28), torch_codes(preset, batch, device)
    return lambda: step(images, draw())


def _factor_vae(compiled, smoke):
    import torch
    from factor_vae_step import torch_model, torch_step

    size, batch = (16, 4) if smoke else (64, 64)
    model = torch_model(size).to(memory_format=torch.channels_last)
    step, images = torch_step(model, torch.cuda.is_available(), compiled), _images(batch, 1, size)
    return lambda: step(images)


def _progressive_gan(compiled, smoke):
    """The last stage: WGAN-GP with drift, the Hessian Penalty of ten layers, a running mean."""
    import copy

    import torch

    sizes = SMALL if smoke else GROWN
    generator, discriminator = _progressive_networks(sizes)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    mean_generator = copy.deepcopy(generator).requires_grad_(False)
    g_optimizer, d_optimizer = (
        _adam(network.parameters(), 1e-3, (0.0, 0.99), 1e-8)
        for network in (generator, discriminator)
    )
    batch, latent_dim = sizes["batch"], sizes["latent_dim"]
    images = 2 * _images(batch, 3, sizes["resolution"]) - 1
    # The discriminator's gradient penalty differentiates twice, which compiled code cannot.
    generate = torch.compile(generator) if compiled else generator
    decay = 0.5 ** (batch / 10_000)

    def activations(z):
        return generate(z, NUM_LAYERS)

    def hessian_penalty(z, directions=2, epsilon=0.1):
        found = []
        for _ in range(directions):
            v = epsilon * (2.0 * torch.randint(2, z.shape, device=z.device) - 1)
            # The middle term does not affect the variance.
            pairs = zip(activations(z + v), activations(z - v), strict=True)
            found.append([(a.float() + b.float()) / epsilon**2 for a, b in pairs])
        return sum(torch.stack(layer).var(0).amax() for layer in zip(*found, strict=True))

    def step():
        z = torch.randn(batch, latent_dim, device=images.device)
        fake = generate(z, None)

        between = images.lerp(
            fake.detach().float(), torch.rand(batch, 1, 1, 1, device=images.device)
        ).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        gradient_penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        real = discriminator(images)
        loss = discriminator(fake.detach()).mean() - real.mean()
        loss = loss + 10 * gradient_penalty + DRIFT_WEIGHT * real.square().mean()
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()

        discriminator.requires_grad_(False)
        loss = -discriminator(fake).mean()
        # Differences of numbers in bfloat16 are noise; Keras's are computed in float32 as well.
        with torch.autocast(images.device.type, enabled=False):
            loss = loss + HESSIAN_WEIGHT * hessian_penalty(z)
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            pairs = list(mean_generator.parameters()), list(generator.parameters())
            torch._foreach_lerp_(*pairs, 1 - decay)

    return step


def _progressive_networks(sizes):
    """The generator, a function (z, number of layers or `None`) to activations or images, and the
    discriminator, both of the last stage."""
    import math

    import torch
    from torch import nn
    from torch.nn import functional

    stages = (sizes["resolution"] // 4).bit_length()
    top, *widths = (
        min(sizes["max_channels"], sizes["base_channels"] >> i) for i in range(stages + 1)
    )

    class Equalized(nn.Module):
        """A convolution or a dense layer that scales its weights in use."""

        def __init__(self, inputs, outputs, kernel=None, gain=2**0.5):
            super().__init__()
            shape = (outputs, inputs) if kernel is None else (outputs, inputs, kernel, kernel)
            self.weight = nn.Parameter(torch.randn(shape))
            self.bias = nn.Parameter(torch.zeros(outputs))
            self.scale, self.kernel = gain / math.sqrt(math.prod(shape[1:])), kernel

        def forward(self, x):
            if self.kernel is None:
                return functional.linear(x, self.weight * self.scale, self.bias)
            return functional.conv2d(
                x, self.weight * self.scale, self.bias, padding=self.kernel // 2
            )

    def leaky(x):
        return functional.leaky_relu(x, 0.2)

    def normalized(x):
        return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-8).to(x.dtype)

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = Equalized(sizes["latent_dim"], 16 * widths[0], gain=math.sqrt(2) / 4)
            layers = [Equalized(widths[0], widths[0], 3)]
            for old, new in zip(widths, widths[1:], strict=False):
                layers += [Equalized(old, new, 3), Equalized(new, new, 3)]
            self.layers = nn.ModuleList(layers)
            self.to_rgb = Equalized(widths[-1], 3, 1, gain=1.0)

        def forward(self, z, num_layers):
            x = self.dense(normalized(z)).view(-1, 4, 4, widths[0]).permute(0, 3, 1, 2)
            found = [normalized(leaky(x))]
            for i, layer in enumerate(self.layers, start=1):
                if num_layers is not None and i == num_layers:
                    break
                x = found[-1]
                x = functional.interpolate(x, scale_factor=2, mode="nearest") if i % 2 == 0 else x
                found.append(normalized(leaky(layer(x))))
            return found if num_layers is not None else self.to_rgb(found[-1])

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.from_rgb = Equalized(3, widths[-1], 1)
            layers = []
            for old, new in zip(widths[-2::-1], widths[:0:-1], strict=True):
                layers += [Equalized(new, new, 3), Equalized(new, old, 3)]
            self.layers = nn.ModuleList(layers)
            self.last = Equalized(widths[0] + 1, widths[0], 3)
            self.dense = Equalized(16 * widths[0], top)
            self.logit = Equalized(top, 1, gain=1.0)

        def forward(self, x):
            x = leaky(self.from_rgb(x))
            for i, layer in enumerate(self.layers):
                x = leaky(layer(x))
                x = functional.avg_pool2d(x, 2) if i % 2 else x
            groups = x.float().reshape(-1, 4, *x.shape[1:])
            std = (groups.var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
            std = std.repeat_interleave(4)[:, None, None, None].expand(-1, 1, 4, 4)
            x = leaky(self.last(torch.cat([x, std.to(x.dtype)], 1)))
            return self.logit(leaky(self.dense(x.permute(0, 2, 3, 1).flatten(1)))).float()

    return Generator(), Discriminator()
