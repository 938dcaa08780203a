"""The networks' shapes, and their parameters counted by hand."""

import keras
import pytest

import keras_disentangle as kd
from keras_disentangle.applications.provlae.networks import (
    celeba_networks,
    flat_networks,
    ladder_networks,
)

# What layers there are, and how many weights, is alike on all backends.
pytestmark = pytest.mark.one_backend


def shapes(networks, which="output_shape"):
    return [getattr(network, which)[1:] for network in networks]


@pytest.mark.parametrize(
    "size, levels, maps",
    [
        (64, (32, 16, 8), (16, 8, 4)),
        (32, (16, 8, 4), (8, 4, 2)),
        (28, (14, 7, 4), (7, 4, 2)),
        (16, (8, 4, 2), (4, 2, 1)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_ladder(size, levels, maps, channels):
    image_shape = (size, size, channels)
    nets = ladder_networks(image_shape, (3, 2, 1))
    expected_levels = [(side, side, 32) for side in levels]
    expected_maps = [(side, side, 32) for side in maps]
    assert shapes(nets["encoder_blocks"], "input_shape") == [image_shape, *expected_levels[:-1]]
    assert shapes(nets["encoder_blocks"]) == expected_levels
    assert shapes(nets["posteriors"], "input_shape") == expected_levels
    assert shapes(nets["posteriors"]) == [(2,), (4,), (6,)]
    assert shapes(nets["latent_maps"], "input_shape") == [(1,), (2,), (3,)]
    assert shapes(nets["latent_maps"]) == expected_maps
    widths = [64, 64, 32]
    assert shapes(nets["decoder_blocks"], "input_shape") == [
        (side, side, width) for side, width in zip(maps, widths, strict=True)
    ]
    # Each level of the decoder has the map of the rung below beside it.
    assert shapes(nets["decoder_blocks"]) == [image_shape, *expected_maps[:-1]]
    model = kd.applications.ProVLAE(image_shape=image_shape, rung_sizes=(3, 2, 1))
    assert model.rung_sizes == (3, 2, 1) and model.image_shape == image_shape


def conv(inputs, outputs):
    return 4 * 4 * inputs * outputs + outputs


def dense(inputs, outputs):
    return inputs * outputs + outputs


def test_parameters_at_64_pixels():
    nets = ladder_networks((64, 64, 1), (3, 3, 3))
    pixels = [16 * 16 * 32, 8 * 8 * 32, 4 * 4 * 32]  # under the rungs' dense layers
    expected = {
        "encoder_blocks": [conv(1, 32), conv(32, 32), conv(32, 32)],
        "posteriors": [conv(32, 32) + dense(n, 256) + dense(256, 6) for n in pixels],
        "latent_maps": [dense(3, 256) + dense(256, n) for n in pixels],
        "decoder_blocks": [conv(64, 32) + conv(32, 1), conv(64, 32), conv(32, 32)],
    }
    assert expected["encoder_blocks"] == [544, 16416, 16416]
    for name, counts in expected.items():
        assert [network.count_params() for network in nets[name]] == counts, name


def test_activations_are_elu_but_for_the_codes_and_logits():
    nets = ladder_networks((64, 64, 1), (3, 3, 3))
    for name, networks in nets.items():
        for level, network in enumerate(networks, start=1):
            activations = [
                layer.activation for layer in network.layers if hasattr(layer, "activation")
            ]
            linear = name == "posteriors" or (name == "decoder_blocks" and level == 1)
            if linear:
                assert activations.pop() is keras.activations.linear
            assert all(activation is keras.activations.elu for activation in activations)


def test_celeba():
    nets = celeba_networks()
    levels = [(32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512)]
    assert shapes(nets["encoder_blocks"]) == levels
    assert shapes(nets["posteriors"], "input_shape") == levels
    assert shapes(nets["posteriors"]) == [(14,)] * 4
    maps = [(16, 16, 64), (8, 8, 256), (4, 4, 512), (4, 4, 512)]
    assert shapes(nets["latent_maps"]) == maps
    assert shapes(nets["decoder_blocks"]) == [(64, 64, 3), *maps[:3]]
    assert [network.count_params() for network in nets["encoder_blocks"]] == [
        conv(3, 64),
        conv(64, 128),
        conv(128, 256),
        conv(256, 512),
    ]
    slopes = {
        layer.activation.negative_slope
        for network in nets["encoder_blocks"]
        for layer in network.layers
    }
    assert len(slopes) == 1 and slopes.pop() == pytest.approx(0.2)


def test_the_baseline_has_the_same_convolutions():
    nets = flat_networks((64, 64, 1), 9)
    assert nets["encoder"].output_shape == (None, 18)
    assert nets["decoder"].output_shape == (None, 64, 64, 1)
    n = 4 * 4 * 32
    assert nets["encoder"].count_params() == (
        conv(1, 32) + 3 * conv(32, 32) + dense(n, 256) + dense(256, 18)
    )
    assert nets["decoder"].count_params() == (
        dense(9, 256) + dense(256, n) + 3 * conv(32, 32) + conv(32, 1)
    )
    assert flat_networks((28, 28, 1), 9)["decoder"].output_shape == (None, 28, 28, 1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ladder_networks((4, 8, 1), (3, 3, 3)), r"sides >= 8. Received: .*\(4, 8, 1\)"),
        (lambda: ladder_networks((64, 64), (3,)), r"`image_shape` must be .* Received: .*\(64, 64"),
        (lambda: ladder_networks((64, 64, 1), (3, 0)), r"at least one latent. Received: \(3, 0\)"),
        (lambda: ladder_networks((64, 64, 1), ()), r"at least one latent. Received: \(\)"),
        (lambda: flat_networks((4, 4, 1), 3), "sides >= 8"),
        (lambda: flat_networks((64, 64, 1), 0), r"at least one latent. Received: \(0,\)"),
        (
            lambda: celeba_networks((56, 64, 3)),
            r"multiples of 16. Received: .*image_shape=\(56, 64, 3\)",
        ),
        (lambda: celeba_networks(rung_sizes=(7, 7)), r"four rungs .* Received: rung_sizes=\(7, 7"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
