"""One trained VGG-16 through keras.applications, KerasCV and KerasHub: the same features and loss?

    python scripts/benchmarks/vgg16_sources.py --weights vgg16.weights.h5 --data-dir DATA

`--weights` is a file for `keras.applications.VGG16(include_top=False)`, such as
`applications/discriminative_vae/hed_trunk.py` writes; it is stored again as the weights of each
package's own network and loaded from there. Prints, for CIFAR-10 images and their means over 2×2
pixels in place of reconstructions, the largest difference of features, relative to their largest
value, and `FeatureMatchingLoss`. Needs `pip install -e ".[cv,hub]"`.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_disentangle as kd

LAYERS = ["block1_conv2", "block2_conv2", "block3_conv3"]
SHAPE = (32, 32, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="of keras.applications' VGG16")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    parser.add_argument("--images", type=int, default=64, help="how many (default: %(default)s)")
    settings = parser.parse_args()
    images, _ = kd.datasets.load_images("cifar10", "test", settings.data_dir, SHAPE)
    images = images[: settings.images].astype("float32") / 255
    means = images.reshape(len(images), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    coarse = means.repeat(2, axis=1).repeat(2, axis=2)
    networks = sources(settings.weights)
    expected, loss = evaluate(networks["keras.applications"], images, coarse)
    print(f"{'':20}largest difference of features   loss, nats an image   difference")
    for name, network in networks.items():
        features, found = evaluate(network, images, coarse)
        worst = max(
            np.abs(a - b).max() / np.abs(b).max() for a, b in zip(features, expected, strict=True)
        )
        print(f"{name:20}{worst:30.2e}   {found:20.4f}   {abs(found / loss - 1):10.2e}")


def sources(weights):
    """Dict from a package to its VGG-16 with these weights, as a `FeatureNetwork`."""
    import keras_cv
    import keras_hub

    first = kd.layers.FeatureNetwork.from_applications("VGG16", LAYERS, weights)
    whole = keras.applications.VGG16(include_top=False, weights=weights)
    cv = {"input_shape": SHAPE, "include_rescaling": False, "include_top": False}
    hub = {
        "stackwise_num_repeats": [2, 2, 3, 3, 3],
        "stackwise_num_filters": [64, 128, 256, 512, 512],
        "image_shape": SHAPE,
    }
    found = {"keras.applications": first}
    for name, make, build, arguments in (
        (
            "KerasCV",
            kd.layers.FeatureNetwork.from_keras_cv,
            keras_cv.models.VGG16Backbone,
            cv,
        ),
        (
            "KerasHub",
            kd.layers.FeatureNetwork.from_keras_hub,
            keras_hub.models.VGGBackbone,
            hub,
        ),
    ):
        backbone = build(**arguments)
        of_backbone, of_whole = (
            [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
            for network in (backbone, whole)
        )
        for mine, theirs in zip(of_backbone, of_whole, strict=True):
            mine.set_weights(theirs.get_weights())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "backbone.weights.h5"
            backbone.save_weights(path)
            found[name] = make(
                build.__name__, LAYERS, path, preprocessing="caffe", arguments=arguments
            )
    return found


def evaluate(network, images, others):
    """Features of images, a list of arrays, and the mean loss of others beside them."""
    loss = kd.losses.FeatureMatchingLoss(network, scale="channel")
    loss.calibrate(images)
    value = float(np.mean(ops.convert_to_numpy(loss(images, others))))
    return [ops.convert_to_numpy(x) for x in network(images)], value


if __name__ == "__main__":
    main()
