"""Downsampling and upsampling of images for progressive growing."""

from keras import ops


def average_pool(x, factor=2):
    """Averages `factor` × `factor` pixels: (batch, h, w, c) to (batch, h / factor, ..., c)."""
    if factor == 1:
        return x
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h // factor, factor, w // factor, factor, c))
    return ops.mean(x, axis=(2, 4))


def upsample(x, factor=2):
    """Repeats pixels `factor` × `factor` times: (batch, h, w, c) to (batch, h * factor, ..., c)."""
    if factor == 1:
        return x
    _, h, w, c = x.shape
    x = ops.tile(ops.reshape(x, (-1, h, 1, w, 1, c)), (1, 1, factor, 1, factor, 1))
    return ops.reshape(x, (-1, h * factor, w * factor, c))
