"""Turns a trained InfoGAN into weights that ship with the application."""

import argparse

import keras_disentangle as kd
from keras_disentangle.applications import _weights
from keras_disentangle.applications.info_gan import _trained
from keras_disentangle.applications.info_gan.info_gan import FOLDER, InfoGAN
from keras_disentangle.applications.info_gan.presets import PRESETS

# 13 million weights: so rounded, they take less than 20 MB.
MANTISSA_BITS = 6


def main(arguments=None):
    """Command line of `scripts/ship.py info_gan`."""
    parser = argparse.ArgumentParser(
        prog="ship.py info_gan",
        description="Stores a trained model's weights in applications/info_gan/weights, with a "
        "checksum and the scores of the stored weights in the manifest.",
    )
    parser.add_argument("name", help="the name that InfoGAN(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mnist")
    parser.add_argument("--data", default="mnist", help="what the codes are to classify")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    options = parser.parse_args(arguments)
    trained = _trained.load(options.model)
    weight = {
        name: round(float(trained.ramps[f"information_weight_{name}"](trained.step)), 6)
        for name in trained.information_weight
    }
    settings = {
        "preset": options.preset,
        "information_weight": weight,
        "feedback": trained.feedback,
    }
    # Without the optimizers, whose state would triple the file.
    model = InfoGAN(**settings)
    for variable, value in zip(model.weights, trained.weights, strict=True):
        variable.assign(value)
    _weights.save_weights(model, FOLDER, "InfoGAN", options.name, settings, MANTISSA_BITS)

    shipped = InfoGAN(weights=options.name)
    images, labels = kd.datasets.load_images(
        options.data, split="test", data_dir=options.data_dir, image_shape=shipped.image_shape
    )
    result = _trained.classification(shipped, images, labels)
    scores = {
        "error": result["error"],
        "real_information": result["information"],
        "information": _trained.information(shipped, 10_000, seed=0),
    }
    _weights.record_scores(FOLDER, "InfoGAN", options.name, scores)
    print(scores)
