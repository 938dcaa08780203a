"""Turns a trained progressive GAN into weights that ship with the application."""

import argparse

from keras_disentangle.applications import _weights
from keras_disentangle.applications.progressive_gan import _trained
from keras_disentangle.applications.progressive_gan.presets import PRESETS
from keras_disentangle.applications.progressive_gan.progressive_gan import (
    FOLDER,
    ProgressiveGAN,
    copy_networks,
)
from keras_disentangle.schedules import read


def main(arguments=None):
    """Command line of `scripts/ship.py progressive_gan`."""
    parser = argparse.ArgumentParser(
        prog="ship.py progressive_gan",
        description="Stores a trained model's weights in applications/progressive_gan/weights, "
        "with a checksum and the scores of the stored weights in the manifest.",
    )
    parser.add_argument("name", help="the name that ProgressiveGAN(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="small")
    parser.add_argument("--data", default="clevr_1fov", help="real images to compare with")
    parser.add_argument("--data-dir", help="where downloaded data sets lie")
    options = parser.parse_args(arguments)
    trained = _trained.load(options.model)
    informative = sum(code.dim for code in trained.space.informative)
    settings = {
        "preset": options.preset,
        "latent_dim": trained.latent_dim,
        "informative": informative,
    }
    # Without the optimizers and the ramps.
    model = ProgressiveGAN(**settings)
    if trained.hessian_penalty is not None:
        settings["hessian_penalty"] = trained.hessian_penalty
        settings["hessian_weight"] = float(trained.ramps["hessian_weight"](trained.step))
    copy_networks(trained, model)
    model.step.assign(read(trained.step))
    _weights.save_weights(model, FOLDER, "ProgressiveGAN", options.name, settings)

    shipped = ProgressiveGAN(weights=options.name)
    images = _trained.load_images(options.data, PRESETS[options.preset], options.data_dir)
    scores = _trained.scores(shipped, images)
    _weights.record_scores(FOLDER, "ProgressiveGAN", options.name, scores)
    print(_trained.table({options.name: scores}))
