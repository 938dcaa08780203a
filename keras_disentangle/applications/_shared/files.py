"""Trained models from files, and models, results and pictures to files, whole or not at all."""

import json

import keras

from keras_disentangle._files import replacing, write_whole
from keras_disentangle._initial_values import no_random_values
from keras_disentangle._weights_files import check_weights_file
from keras_disentangle.visualization import save_gif, save_png


def load_model(path, argument="weights"):
    """A trained model from a `.keras` file, uncompiled; `argument` is what named it.

    Raises:
        ValueError: if there is no such file, it is damaged, or a weight is NaN or infinite.
    """
    try:
        numbers = check_weights_file(path)
        # Some are not stored, such as the states of seeds.
        with no_random_values(most=2 * numbers + 2**20):
            # Without the optimizer, which may be one of PyTorch's alone.
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # zipfile, h5py and Keras each raise their own kinds.
        raise ValueError(
            f"`{argument}` must be a whole .keras file. Received: {path} ({error})"
        ) from error


def save_model(model, path):
    """Writes a `.keras` file."""
    with replacing(path, suffix=".keras") as part:
        model.save(part)


def write_json(path, content):
    """Writes a JSON file, with its folder."""
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def write_pictures(folder, pictures):
    """Writes pictures into a folder; returns their names.

    Args:
        pictures: dict from a file's name to an array (h, w, c) for a PNG, or to a list of them for
            a GIF.
    """
    for name, picture in pictures.items():
        save = {".png": save_png, ".gif": save_gif}[(folder / name).suffix]
        save(folder / name, picture)
    return list(pictures)
