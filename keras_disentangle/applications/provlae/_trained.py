"""What `evaluate.py` and `traverse.py` share: a trained model and its data, from options."""

import keras_disentangle as kd
from keras_disentangle.applications import _evaluation, _own_data, _runs, _weights
from keras_disentangle.applications.provlae.provlae import FOLDER, ProVLAE


def parser(command, description):
    """A parser with the options that choose the model and the data."""
    result = _runs.weights_parser("provlae", "ProVLAE", None, command, description)
    result.add_argument(
        "--data",
        help=f"{_evaluation.DATA_HELP}; or what load_images takes (a name, a path); None: what "
        "shipped weights were trained on, dsprites for a file",
    )
    result.add_argument("--data-dir", help="where downloaded data sets lie")
    return result


def load(options):
    """The model, and a data set with factors or an array of uint8 images that fits it.

    `options.data` becomes the name of the data, if it is None.

    Raises:
        ValueError: if the weights or the data are unknown, damaged, or do not fit.
    """
    if options.weights.endswith(".keras"):
        model = _runs.load_model(options.weights)
    else:
        model = ProVLAE(weights=options.weights)
    if options.data is None:
        is_file = _weights.is_path(options.weights)
        options.data = "dsprites" if is_file else _weights.shipped_data(FOLDER, options.weights)
    _own_data.announce(options.data, model.image_shape, options.data_dir)
    return model, load_data(options.data, model.image_shape, options.data_dir)


def load_data(name, image_shape, data_dir=None):
    """A data set with factors, or an array of uint8 images, of this shape.

    Raises:
        ValueError: as `load_images`, or if a data set cannot be had in this shape.
    """
    # CelebA is learnt from without its attributes.
    data = None if name == "celeb_a" else _evaluation.factor_data(name, image_shape, data_dir)
    if data is not None:
        return data
    return kd.datasets.load_images(name, data_dir=data_dir, image_shape=image_shape)[0]
