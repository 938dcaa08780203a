"""What `evaluate.py` and `traverse.py` share: a trained model and its data, from options."""

from keras_disentangle.applications import _runs
from keras_disentangle.applications.provlae.provlae import ProVLAE

import keras_disentangle as kd


def parser(command, description):
    """A parser with the options that choose the model and the data."""
    result = _runs.weights_parser("provlae", "ProVLAE", None, command, description)
    result.add_argument(
        "--data", default="dsprites", help="dsprites, or what load_images takes (a name, a path)"
    )
    result.add_argument("--data-dir", help="where downloaded data sets lie")
    return result


def load(options):
    """The model, and a `FactorDataset` or an array of uint8 images that fits it.

    Raises:
        ValueError: if the weights or the data are unknown, damaged, or do not fit.
    """
    if options.weights.endswith(".keras"):
        model = _runs.load_model(options.weights)
    else:
        model = ProVLAE(weights=options.weights)
    if options.data == "dsprites":
        data = kd.datasets.DSprites(image_size=model.image_shape[0])
    else:
        data, _ = kd.datasets.load_images(
            options.data, data_dir=options.data_dir, image_shape=model.image_shape
        )
    return model, data
