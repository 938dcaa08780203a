"""Turns learnt directions into weights that ship with the application."""

import argparse

from keras_disentangle.applications import _weights
from keras_disentangle.applications.direction_discovery import _trained
from keras_disentangle.applications.direction_discovery.direction_discovery import FOLDER, holder
from keras_disentangle.applications.direction_discovery.presets import PRESETS


def main(arguments=None):
    """Command line of `scripts/ship.py direction_discovery`."""
    parser = argparse.ArgumentParser(
        prog="ship.py direction_discovery",
        description="Stores learnt directions in applications/direction_discovery/weights, with a "
        "checksum and their scores in the manifest.",
    )
    parser.add_argument("name", help="the name that DirectionDiscovery(weights=...) will take")
    parser.add_argument("model", help="the .keras file of a training")
    parser.add_argument("--preset", choices=sorted(PRESETS), required=True)
    options = parser.parse_args(arguments)
    trained = _trained.load(options.model)
    _weights.save_weights(
        holder(trained.directions),
        FOLDER,
        "DirectionDiscovery",
        options.name,
        {"preset": options.preset},
        # Rounded to half precision, directions are not orthonormal any more.
        mantissa_bits=None,
    )
    position = PRESETS[options.preset].shows_one_cube
    found = _trained.compare({"learnt": _trained.load(options.name)}, position=position)
    _weights.record_scores(FOLDER, "DirectionDiscovery", options.name, found)
    print(_trained.table(found))
