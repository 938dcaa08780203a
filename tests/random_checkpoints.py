"""State dicts of published BigGANs with random weights, the same on every machine.

The generator of Brock's PyTorch code and BigGAN-deep of pytorch-pretrained-biggan: names, shapes
and, for each name, values of NumPy's RandomState, whose stream is frozen. Nothing is left at its
initial value: attention takes part and the statistics differ from row to row and channel to
channel.
"""

import zlib

import numpy as np

# Feature maps at 4x4, 8x8, ... in units of the channels.
WIDTHS = {128: (16, 16, 8, 4, 2, 1), 256: (16, 16, 8, 8, 4, 2, 1), 512: (16, 16, 8, 8, 4, 2, 1, 1)}
ATTENTION = 8  # The place of BigGAN-deep's attention among its layers.
ROWS = 51


def biggan_shapes(channels=96, num_classes=1000, latent_dim=120, embedding=128, image_size=128):
    """Name -> shape of the state dict of Brock's generator, attention at 64x64."""
    widths = [channels * width for width in WIDTHS[image_size]]
    chunk = latent_dim // len(widths)
    shapes = {"shared.weight": (num_classes, embedding)}

    def spectral(name, outputs, *rest, bias=True):
        shapes[f"{name}.weight"] = (outputs, *rest)
        if bias:
            shapes[f"{name}.bias"] = (outputs,)
        shapes[f"{name}.u0"] = (1, outputs)
        shapes[f"{name}.sv0"] = (1,)

    spectral("linear", 16 * widths[0], chunk)
    for i, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        block = f"blocks.{i}.0"
        spectral(f"{block}.conv1", after, before, 3, 3)
        spectral(f"{block}.conv2", after, after, 3, 3)
        spectral(f"{block}.conv_sc", after, before, 1, 1)
        for norm, width in (("bn1", before), ("bn2", after)):
            shapes[f"{block}.{norm}.stored_mean"] = (width,)
            shapes[f"{block}.{norm}.stored_var"] = (width,)
            spectral(f"{block}.{norm}.gain", width, embedding + chunk, bias=False)
            spectral(f"{block}.{norm}.bias", width, embedding + chunk, bias=False)
        if 8 * 2**i == 64:
            shapes[f"blocks.{i}.1.gamma"] = ()
            for name, out, into in _attention(after):
                spectral(f"blocks.{i}.1.{name}", out, into, 1, 1, bias=False)
    for name in ("gain", "bias", "stored_mean", "stored_var"):
        shapes[f"output_layer.0.{name}"] = (widths[-1],)
    spectral("output_layer.2", 3, widths[-1], 3, 3)
    return shapes


def deep_shapes(channels=128, num_classes=1000, latent_dim=128, image_size=128):
    """Name -> shape of the state dict of BigGAN-deep."""
    shapes = {"embeddings.weight": (latent_dim, num_classes)}

    def spectral(name, outputs, *rest, bias=True):
        if bias:
            shapes[f"{name}.bias"] = (outputs,)
        shapes[f"{name}.weight_orig"] = (outputs, *rest)
        shapes[f"{name}.weight_u"] = (outputs,)
        shapes[f"{name}.weight_v"] = (int(np.prod(rest)),)

    def statistics(name, width):
        shapes[f"{name}.running_means"] = shapes[f"{name}.running_vars"] = (ROWS, width)

    spectral("generator.gen_z", 16 * 16 * channels, 2 * latent_dim)
    widths = [channels * width for width in WIDTHS[image_size]]
    blocks = [
        sizes
        for before, after in zip(widths[:-1], widths[1:], strict=True)
        for sizes in ((before, before), (before, after))
    ]
    for i, (before, after) in enumerate(blocks):
        layer = f"generator.layers.{i + (i >= ATTENTION)}"
        if i == ATTENTION:
            shapes[f"generator.layers.{i}.gamma"] = (1,)
            for name, out, into in _attention(before):
                name = "snconv1x1_" + {"o": "o_conv"}.get(name, name)
                spectral(f"generator.layers.{i}.{name}", out, into, 1, 1, bias=False)
        middle = before // 4
        for j, width in enumerate((before, middle, middle, middle)):
            statistics(f"{layer}.bn_{j}", width)
            for name in ("scale", "offset"):
                spectral(f"{layer}.bn_{j}.{name}", width, 2 * latent_dim, bias=False)
        for j, (out, into, size) in enumerate(
            ((middle, before, 1), (middle, middle, 3), (middle, middle, 3), (after, middle, 1))
        ):
            spectral(f"{layer}.conv_{j}", out, into, size, size)
    shapes["generator.bn.weight"] = shapes["generator.bn.bias"] = (channels,)
    statistics("generator.bn", channels)
    spectral("generator.conv_to_rgb", channels, channels, 3, 3)
    return shapes


def _attention(channels):
    eighth, half = channels // 8, channels // 2
    return (
        ("theta", eighth, channels),
        ("phi", eighth, channels),
        ("g", half, channels),
        ("o", channels, half),
    )


def fill(shapes, seed=0):
    """Name -> float32 array: random values that give images of ordinary contrast.

    The singular vectors of BigGAN-deep are those after one step from random ones, so that sigma
    depends on their order and yet is no larger than it would be after many.
    """
    values = {name: _draw(name, shape, seed) for name, shape in shapes.items()}
    for name in shapes:
        if name.endswith(".weight_orig"):
            matrix = values[name].reshape(shapes[name][0], -1)
            stem = name.removesuffix("orig")
            right = values[f"{stem}u"] @ matrix
            right /= np.linalg.norm(right)
            left = matrix @ right
            values[f"{stem}v"] = right
            values[f"{stem}u"] = left / np.linalg.norm(left)
    return {name: np.asarray(value, "float32") for name, value in values.items()}


def _draw(name, shape, seed):
    random = np.random.RandomState(zlib.crc32(f"{seed} {name}".encode()))
    noise = random.standard_normal(shape)
    kind = name.rpartition(".")[2]
    if kind in ("stored_var", "running_vars"):
        # The first maps are faint; and much larger ones would make attention a matter of digits.
        typical = 0.1 if "s.0." in name else 1.0 if kind == "stored_var" else 3.0
        return typical * np.exp(0.4 * noise)
    if kind in ("stored_mean", "running_means"):
        return 0.3 * noise
    if name in ("shared.weight", "embeddings.weight"):
        return 0.5 * noise
    if kind == "gamma":
        return np.full(shape, 0.8)
    if kind == "bias":
        return 0.1 * noise
    if name in ("output_layer.0.gain", "generator.bn.weight"):  # What comes to the tanh.
        return (0.4 if kind == "gain" else 0.25) * (1 + 0.3 * noise)
    return noise


def latents(count, width, seed=0):
    """(count, width) float32 from N(0, 1)."""
    return np.random.RandomState(seed).standard_normal((count, width)).astype("float32")
