"""The networks of pro-VLAE and of the baselines that it is compared with.

Every function returns built networks; lists of them are ordered from rung 1, next to the image,
to rung L, the most abstract. The sizes follow the authors' release; its batch normalisation,
which never leaves inference mode there and so only rescales, is left out.
"""

import keras
from keras import layers

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import UpConv2D

KERNEL = 4


def ladder_networks(image_shape, rung_sizes, channels=32, hidden=256, activation="elu"):
    """The ladder for dSprites, 3DShapes (64×64) and MNIST (28×28), for any L and image size.

    Level l has ceil(size / 2^l) pixels a side and `channels` channels.

    Args:
        image_shape: (height, width, channels); at least 2^L pixels a side.
        rung_sizes: number of latents of each rung, the most abstract first.
        channels: channels of every convolution.
        hidden: width of the dense layer of each rung, on both sides.
        activation: of every hidden layer.

    Returns:
        Dict with the four lists of networks that `LadderVAE` takes.

    Raises:
        ValueError: if the image is too small for that many rungs, or a size is not positive.
    """
    num_rungs = len(rung_sizes)
    _check_sizes(image_shape, rung_sizes, smallest=2**num_rungs)
    sizes = list(rung_sizes)[::-1]
    levels = [_halved(image_shape, times) for times in range(num_rungs + 2)]
    conv = {"channels": channels, "activation": activation}

    encoder_blocks, posteriors, latent_maps, decoder_blocks = [], [], [], []
    for i, size in enumerate(sizes):
        level = i + 1
        below = image_shape if i == 0 else (*levels[i], channels)
        encoder_blocks.append(_stack(below, [_down(**conv)], f"encoder_block_{level}"))
        posteriors.append(
            _stack(
                (*levels[level], channels),
                [_down(**conv), layers.Flatten(), _dense(hidden, activation), _dense(2 * size)],
                f"posterior_{level}",
            )
        )
        map_shape = (*levels[level + 1], channels)
        latent_maps.append(_latent_map(size, [hidden], map_shape, activation, level))
        width = channels if level == num_rungs else 2 * channels
        upward = _up_to(levels[level + 1], levels[level], **conv)
        if level == 1:
            upward += _up_to(levels[1], image_shape, image_shape[-1])
        decoder_blocks.append(_stack((*map_shape[:-1], width), upward, f"decoder_block_{level}"))
    return {
        "encoder_blocks": encoder_blocks,
        "posteriors": posteriors,
        "latent_maps": latent_maps,
        "decoder_blocks": decoder_blocks,
    }


def flat_networks(image_shape, latent_dim, num_levels=3, channels=32, hidden=256, activation="elu"):
    """The beta-VAE baseline: the same convolutions with one code at the top.

    Returns:
        Dict with the `encoder` and `decoder` that `VAE` takes.

    Raises:
        ValueError: as `ladder_networks`.
    """
    _check_sizes(image_shape, [latent_dim], smallest=2**num_levels)
    levels = [_halved(image_shape, times) for times in range(num_levels + 2)]
    conv = {"channels": channels, "activation": activation}
    downward = [_down(**conv) for _ in range(num_levels + 1)]
    head = [layers.Flatten(), _dense(hidden, activation), _dense(2 * latent_dim)]
    encoder = _stack(image_shape, [*downward, *head], "encoder")

    map_shape = (*levels[-1], channels)
    upward = _map_layers([hidden], map_shape, activation)
    for i in range(num_levels, 0, -1):
        upward += _up_to(levels[i + 1], levels[i], **conv)
    upward += _up_to(levels[1], image_shape, image_shape[-1])
    return {"encoder": encoder, "decoder": _stack((latent_dim,), upward, "decoder")}


def celeba_networks(image_shape=(64, 64, 3), rung_sizes=(7, 7, 7, 7), width=64):
    """The wider ladder for CelebA: 64×64 colour, L = 4, leaky ReLU 0.2.

    Args:
        image_shape: (height, width, channels), multiples of 16.
        rung_sizes: number of latents of each of the four rungs, the most abstract first.
        width: channels of the first level (64 in the paper), doubled at each further one.

    Returns:
        Dict with the four lists of networks that `LadderVAE` takes.

    Raises:
        ValueError: if the image's sides are not multiples of 16 or there are not four rungs.
    """
    _check_sizes(image_shape, rung_sizes, smallest=16)
    if len(rung_sizes) != 4 or image_shape[0] % 16 or image_shape[1] % 16:
        raise ValueError(
            "The CelebA networks need four rungs and sides that are multiples of 16. "
            f"Received: rung_sizes={tuple(rung_sizes)}, image_shape={tuple(image_shape)}"
        )
    w1, w2, w3, w4 = (width * 2**i for i in range(4))
    h1, h2, h3, h4 = (_halved(image_shape, times) for times in range(1, 5))
    d4, d3, d2, d1 = rung_sizes

    def down(channels, strides=2):
        return _down(channels, _leaky(), strides)

    def up(channels, strides=2):
        return _up(channels, _leaky(), strides)

    return {
        "encoder_blocks": [
            _stack(image_shape, [down(w1)], "encoder_block_1"),
            _stack((*h1, w1), [down(w2)], "encoder_block_2"),
            _stack((*h2, w2), [down(w3)], "encoder_block_3"),
            _stack((*h3, w3), [down(w4)], "encoder_block_4"),
        ],
        "posteriors": [
            _stack((*h, w), [*hidden, _dense(2 * d)], f"posterior_{level}")
            for level, h, w, d, hidden in (
                (1, h1, w1, d1, [down(w1), down(w1, strides=1), layers.Flatten()]),
                (2, h2, w2, d2, [down(w2), down(w3), layers.Flatten()]),
                (3, h3, w3, d3, [down(w3), down(w4), layers.Flatten()]),
                (4, h4, w4, d4, [layers.Flatten(), *(_dense(16 * width, _leaky()) for _ in "12")]),
            )
        ],
        "latent_maps": [
            _latent_map(d1, [], (*h2, w1), _leaky(), 1),
            _latent_map(d2, [], (*h3, w3), _leaky(), 2),
            _latent_map(d3, [], (*h4, w4), _leaky(), 3),
            _latent_map(d4, [16 * width] * 2, (*h4, w4), _leaky(), 4),
        ],
        "decoder_blocks": [
            _stack((*h2, 2 * w1), [up(w1), _up(image_shape[-1])], "decoder_block_1"),
            _stack((*h3, 2 * w3), [up(w2), up(w1, strides=1)], "decoder_block_2"),
            _stack((*h4, 2 * w4), [up(w4, strides=1), up(w3)], "decoder_block_3"),
            # The map of the top rung is g_4 itself.
            _stack((*h4, w4), [layers.Identity()], "decoder_block_4"),
        ],
    }


def _stack(input_shape, stack, name):
    return keras.Sequential([keras.Input(tuple(input_shape)), *stack], name=name)


def _leaky():
    return layers.LeakyReLU(negative_slope=0.2)


def _dense(units, activation=None):
    return layers.Dense(units, activation=activation)


def _down(channels, activation, strides=2):
    return layers.Conv2D(channels, KERNEL, strides=strides, padding="same", activation=activation)


def _up(channels, activation=None, strides=2):
    return UpConv2D(channels, KERNEL, strides=strides, activation=activation)


def _up_to(size, target, channels, activation=None):
    """Doubles the sides, then cuts what an odd target leaves over (4 -> 8 -> 7 for MNIST)."""
    surplus = [2 * side - goal for side, goal in zip(size, target[:2], strict=True)]
    crop = [layers.Cropping2D(tuple((0, s) for s in surplus))] if any(surplus) else []
    return [_up(channels, activation), *crop]


def _map_layers(hidden, shape, activation):
    widths = [*hidden, shape[0] * shape[1] * shape[2]]
    return [*(_dense(width, activation) for width in widths), layers.Reshape(shape)]


def _latent_map(size, hidden, shape, activation, level):
    return _stack((size,), _map_layers(hidden, shape, activation), f"latent_map_{level}")


def _halved(image_shape, times):
    return tuple(-(-side // 2**times) for side in image_shape[:2])


def _check_sizes(image_shape, rung_sizes, smallest):
    check_channels_last("pro-VLAE")
    if len(image_shape) != 3 or min(image_shape) < 1 or min(image_shape[:2]) < smallest:
        raise ValueError(
            f"`image_shape` must be (height, width, channels) with sides >= {smallest}. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    if not rung_sizes or min(rung_sizes) < 1:
        raise ValueError(f"Every rung must have at least one latent. Received: {tuple(rung_sizes)}")
