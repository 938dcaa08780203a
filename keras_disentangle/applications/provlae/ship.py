"""Turns a trained pro-VLAE into weights that ship with the application."""

import argparse

import keras_disentangle as kd
from keras_disentangle.applications import _evaluation, _runs, _weights
from keras_disentangle.applications.provlae import _trained
from keras_disentangle.applications.provlae.provlae import FOLDER, NETWORKS, ProVLAE


def main(arguments=None):
    """Command line of `scripts/ship.py provlae`."""
    parser = argparse.ArgumentParser(
        prog="ship.py provlae",
        description="Stores a trained model's weights as float16 in applications/provlae/weights, "
        "with a checksum and the scores of the stored weights in the manifest.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("name", help="the name that ProVLAE(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training")
    parser.add_argument(
        "--data",
        choices=sorted(_evaluation.RENDERED),
        default="dsprites",
        help="what it was trained on",
    )
    parser.add_argument("--networks", choices=sorted(NETWORKS), default="small")
    options = parser.parse_args(arguments)
    trained = _runs.load_model(options.model, "model")
    if not isinstance(trained, kd.models.ProgressiveLadderVAE):
        raise ValueError(f"`model` must be a ProgressiveLadderVAE. Received: {type(trained)}")
    settings = {
        "image_shape": list(trained.image_shape),
        "rung_sizes": list(trained.rung_sizes),
        "beta": float(trained.ramps["beta"](trained.step)),
        "gamma": trained.gamma,
        "networks": options.networks,
    }
    data = _trained.load_data(options.data, trained.image_shape)
    # Without the optimizer, whose state would triple the file.
    model = ProVLAE(**settings)
    for variable, value in zip(model.weights, trained.weights, strict=True):
        variable.assign(value)
    _weights.save_weights(model, FOLDER, "ProVLAE", options.name, settings, data=options.data)
    scores = kd.evaluate(ProVLAE(weights=options.name), data, num_samples=20_000)
    _weights.record_scores(FOLDER, "ProVLAE", options.name, scores)
    print(scores)
